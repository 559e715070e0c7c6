import { InvalidArgumentError } from '@commander-js/extra-typings';
import { openStore } from '../../store/store.ts';
import {
  findUnneeded,
  removeUnneeded,
  type Unneeded,
  type UnneededKind,
  unneededKinds,
} from '../../store/whole-store.ts';
import { counted, sizeText } from '../../text/figures.ts';
import { command, jsonOption } from '../command.ts';
import { printJson } from '../terminal.ts';

/** `colloquy prune` */
export const prune = command('prune', [
  'colloquy prune                          # shows it, removes nothing',
  'colloquy prune --remove',
  'colloquy prune --older-than 30 --remove # only what was not written for 30 days',
  'Nights of a series: colloquy schedule prune. An experiment: remove its folder, then what only it needed is found here.',
])
  .option('--remove', 'remove what is shown; without this, nothing is removed')
  .option('--older-than <days>', 'show only what nothing has written for this many days', days, 7)
  .addOption(jsonOption)
  .action(async ({ remove = false, olderThan, json }) => {
    const store = openStore();
    // Ages are told by the clock of a bucket's server: this finds out whether it is the one of this host.
    if (remove) await store.check();
    const found = await findUnneeded(store, Date.now() - olderThan * 86_400_000);
    const items = remove ? await removeUnneeded(store, found) : found;
    const bytes = items.reduce((sum, each) => sum + each.bytes, 0);
    if (json) return printJson({ store: store.root, removed: remove, bytes, items });
    for (const kind of Object.keys(unneededKinds) as UnneededKind[]) printKind(kind, items);
    const said = remove ? 'removed' : 'can be removed: colloquy prune --remove';
    console.log(
      items.length === 0
        ? `Nothing in ${store.root} is unneeded and older than ${counted(olderThan, 'day')}.`
        : `${counted(items.length, 'thing')}, ${sizeText(bytes)}, ${said}`,
    );
  });

function printKind(kind: UnneededKind, items: readonly Unneeded[]): void {
  const ofKind = items.filter((each) => each.kind === kind);
  if (ofKind.length === 0) return;
  const bytes = ofKind.reduce((sum, each) => sum + each.bytes, 0);
  console.log(`${unneededKinds[kind]}: ${ofKind.length}, ${sizeText(bytes)}`);
  for (const { names, bytes: size, in: place } of ofKind.slice(0, mostShown))
    console.log(`  ${sizeText(size).padStart(9)}  ${names[0]}${place === 'host' ? ' (on this host)' : ''}`);
  if (ofKind.length > mostShown) console.log(`  and ${ofKind.length - mostShown} more (--json has all)`);
}

const mostShown = 10;

function days(given: string): number {
  const value = Number(given);
  // A worker may be writing what is younger than an hour.
  if (/^\d+(\.\d+)?$/.test(given) && value >= 1 / 24) return value;
  throw new InvalidArgumentError('Expected a number of days, at least 0.042 (an hour).');
}
