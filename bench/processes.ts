/** Which processes has this one started, and how much CPU has each used? From /proc, so on Linux alone. */
import { readdirSync, readFileSync } from 'node:fs';

/** What Linux counts CPU time in, for programs: 100 a second on every machine that Node runs on. */
const msOfTick = 10;

/** CPU milliseconds of this process's descendants, by what their command lines contain; others are left out. */
export function cpuOf<Kind extends string>(kinds: Readonly<Record<Kind, string>>): Record<Kind, number> {
  const names = Object.keys(kinds) as Kind[];
  const sums = Object.fromEntries(names.map((kind) => [kind, 0])) as Record<Kind, number>;
  for (const pid of descendants(process.pid)) {
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
    const kind = names.find((each) => command.includes(kinds[each]));
    if (kind !== undefined) sums[kind] += cpuMs(read(`/proc/${pid}/stat`));
  }
  return sums;
}

/** User and system time, from the line in /proc/PID/stat. The second field is a name in brackets that may have any characters. */
export function cpuMs(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * msOfTick;
}

/** A thread starts processes too, and each is listed with the thread that started it. */
function descendants(pid: number): number[] {
  const children = names(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** Empty when the process is gone. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
