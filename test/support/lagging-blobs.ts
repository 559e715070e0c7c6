/**
 * Hosts that share a folder on which they see each other's changes late, as NFS clients with caches do. A change is visible at once to
 * the host that makes it, and to another host after so many operations of that host: no clock, so that a test can reach each moment.
 * The server itself knows everything, so a name is given to one host only.
 */
import type { Blobs } from '../../src/store/blobs.ts';
import { memoryBlobs } from './memory-blobs.ts';

type Host = {
  readonly seen: Map<string, Buffer>;
  readonly pending: { readonly due: number; readonly name: string }[];
  operations: number;
};

/** @param delay operations until a host sees another one's change */
export function laggingHosts(count: number, delay: number, scratch: string): Blobs[] {
  const truth = new Map<string, Buffer>();
  const server = memoryBlobs(scratch, truth);
  const hosts = Array.from({ length: count }, (): Host => ({ seen: new Map(), pending: [], operations: 0 }));

  function show(host: Host, name: string): void {
    const bytes = truth.get(name);
    if (bytes === undefined) host.seen.delete(name);
    else host.seen.set(name, bytes);
  }

  return hosts.map((host) => {
    const view = memoryBlobs(scratch, host.seen);
    const operation = (): void => {
      host.operations += 1;
      for (const { name } of host.pending.filter(({ due }) => due <= host.operations)) show(host, name);
      host.pending.splice(0, host.pending.length, ...host.pending.filter(({ due }) => due > host.operations));
    };
    /** What changes on the server is seen here at once and elsewhere later. */
    const changing = async <Result>(change: () => Promise<Result>): Promise<Result> => {
      operation();
      const before = new Map(truth);
      const result = await change();
      const changed = new Set(
        [...before.keys(), ...truth.keys()].filter((name) => before.get(name) !== truth.get(name)),
      );
      for (const name of changed) {
        show(host, name);
        for (const other of hosts)
          if (other !== host) other.pending.push({ due: other.operations + delay, name });
      }
      return result;
    };
    const seeing = async <Result>(read: () => Promise<Result>): Promise<Result> => {
      operation();
      return read();
    };
    return {
      where: (name) => view.where(name),
      size: (name) => seeing(() => view.size(name)),
      writtenAt: (name) => seeing(() => view.writtenAt(name)),
      folders: () => seeing(() => view.folders()),
      get: (name, range) => seeing(() => view.get(name, range)),
      stream: (name) => {
        operation();
        return view.stream(name);
      },
      list: (prefix) => seeing(() => view.list(prefix)),
      everything: (prefix) => seeing(() => view.everything(prefix)),
      localCopy: (name) => seeing(() => view.localCopy(name)),
      putOnce: (name, content) => changing(() => server.putOnce(name, content)),
      replace: (name, content, beforeCommit) => changing(() => server.replace(name, content, beforeCommit)),
      move: (from, to) => changing(() => server.move(from, to)),
      remove: (name) => changing(() => server.remove(name)),
      tidy: (name) => changing(() => server.tidy(name)),
    };
  });
}
