import { readFile } from 'node:fs/promises';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { projectRoot } from '../src/config/installation.ts';

const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string() }),
      children: z.array(z.number()).default([]),
    }),
  ),
  samples: z.array(z.number()),
  /** Microseconds since the sample before; of the first, since the start. */
  timeDeltas: z.array(z.number()),
});

export type Cost = {
  readonly where: string;
  /** Of all costs: 0..1. */
  readonly share: number;
};

/**
 * Where a CPU profile's time went between two moments (milliseconds since its start), most first: by package of node_modules and by file of this project. Node's own code counts
 * for the module that called it; what none called (a socket that became readable) counts for Node's module or system call.
 */
export async function costsOf(path: string, from: number, to: number): Promise<Cost[]> {
  const { nodes, samples, timeDeltas } = profileSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  const parents = new Map(nodes.flatMap(({ id, children }) => children.map((child) => [child, id] as const)));
  const byId = new Map(nodes.map((node) => [node.id, node]));

  const whereIs = (id: number): string => {
    const own = byId.get(id)?.callFrame;
    for (let node = byId.get(id); node !== undefined; node = byId.get(parents.get(node.id) ?? -1)) {
      const place = placeOf(node.callFrame.url);
      if (place !== null) return place;
    }
    return own?.url || (own?.functionName ?? 'unknown');
  };

  const places = new Map<number, string>();
  const costs = new Map<string, number>();
  let at = 0;
  samples.forEach((id, index) => {
    const ms = (timeDeltas[index] ?? 0) / 1000;
    at += ms;
    if (at < from || at > to) return;
    const where = places.get(id) ?? whereIs(id);
    places.set(id, where);
    costs.set(where, (costs.get(where) ?? 0) + ms);
  });
  costs.delete('(idle)');
  const total = [...costs.values()].reduce((sum, ms) => sum + ms, 0);
  return [...costs]
    .map(([where, ms]) => ({ where, share: ms / total }))
    .toSorted((a, b) => b.share - a.share);
}

/** A package or a file of the project; null for Node's own code. */
function placeOf(url: string): string | null {
  if (url === '' || url.startsWith('node:')) return null;
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  const inPackage = path.split(`node_modules${sep}`).at(-1);
  if (inPackage !== undefined && inPackage !== path) {
    const [scope = '', name = ''] = inPackage.split(sep);
    return scope.startsWith('@') ? `${scope}/${name}` : scope;
  }
  return path.startsWith(projectRoot) ? path.slice(projectRoot.length).replace(/^[/\\]/, '') : path;
}
