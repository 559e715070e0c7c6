/**
 * An export goes to a repository of the Hugging Face hub as one commit, on top of the commit that was read before it: pushing twice is pushing
 * once, and nobody's commit in between is lost. What the export does not own stays. Large files go by Xet or LFS, where what has arrived is not
 * sent again.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fileBlobs } from '../store/blobs-file.ts';
import { ask, asHubError, type Hub, HubNotReachable, withoutXet } from '../store/hub-access.ts';
import { terminalSafe } from '../text/safe-text.ts';
import { PushNotPossible } from './errors.ts';
import { exportManifest, readExportManifest } from './folder.ts';

/** What is pushed where. */
export type Push = {
  readonly repo: { readonly type: 'model' | 'dataset'; readonly name: string };
  /** An export, absolute. */
  readonly folder: string;
  /** Of the commit. */
  readonly title: string;
  readonly description: string;
  /** Whether others must not see it. */
  readonly isPrivate: boolean;
  /** Whether files are replaced that somebody else, or another experiment, has written there. */
  readonly replace: boolean;
};

/** What a push changes there. */
export type Changes = {
  /** The repository as it is; null when there is none yet. */
  readonly there: { readonly head: string; readonly isPrivate: boolean } | null;
  readonly added: readonly PushedFile[];
  readonly replaced: readonly PushedFile[];
  /** Paths of files of the last push that this one has not. */
  readonly removed: readonly string[];
  /** How many files are there already. */
  readonly same: number;
};
/** A file, with its size in bytes. */
export type PushedFile = { readonly path: string; readonly size: number };

/** Whether there is nothing to send. */
export function isNothing({ added, replaced, removed }: Changes): boolean {
  return added.length + replaced.length + removed.length === 0;
}

/** What a push would change. @throws HubNotReachable, HubRefused, PushNotPossible when it would harm what others have there */
export async function changesOf(hub: Hub, push: Push): Promise<Changes> {
  const { folder, repo } = push;
  const files = await localFiles(folder);
  const there = await remoteOf(hub, push);
  if (there === null) return { there, added: files, replaced: [], removed: [], same: 0 };
  if (push.isPrivate && !there.isPrivate)
    throw new PushNotPossible(
      `${repo.name} is there already and public: --private makes new repositories alone. Make it private in its settings on the hub, or leave --private out.`,
    );
  const added = files.filter(({ path }) => !there.files.has(path));
  const replaced: PushedFile[] = [];
  for (const file of files) {
    const remote = there.files.get(file.path);
    if (remote !== undefined && !(await isSame(remote, folder, file))) replaced.push(file);
  }
  const here = new Set(files.map(({ path }) => path));
  const removed = Object.keys(there.pushed.files).filter((path) => !here.has(path) && there.files.has(path));
  if (!push.replace) {
    await requireSameExperiment(push, there);
    await requireOurs(hub, push, there, [...replaced.map(({ path }) => path), ...removed]);
  }
  const same = files.length - added.length - replaced.length;
  return { there: { head: there.head, isPrivate: there.isPrivate }, added, replaced, removed, same };
}

type LocalFile = PushedFile & { readonly sha256: string | undefined };

async function localFiles(folder: string): Promise<LocalFile[]> {
  const blobs = fileBlobs(folder);
  const { files } = await localManifest(folder);
  const all = [...Object.entries(files), [exportManifest, undefined] as const];
  return Promise.all(
    all.map(async ([path, sha256]) => ({ path, sha256, size: (await blobs.size(path)) ?? 0 })),
  );
}

async function localManifest(folder: string): Promise<ReturnType<typeof readExportManifest>> {
  return readExportManifest((await fileBlobs(folder).get(exportManifest)) ?? Buffer.from(''));
}

type RemoteFile = {
  /** Git's own hash of the file; of a large file, of the pointer to it. */
  readonly oid: string | undefined;
  /** Of a large file. */
  readonly sha256: string | undefined;
  readonly size: number;
};
type Remote = NonNullable<Changes['there']> & {
  readonly files: ReadonlyMap<string, RemoteFile>;
  /** What the last push says of itself. */
  readonly pushed: ReturnType<typeof readExportManifest>;
};

/** Null when there is no such repository. */
async function remoteOf(hub: Hub, { repo }: Push): Promise<Remote | null> {
  const head = await headOf(hub, repo);
  if (head === null) return null;
  const files = new Map<string, RemoteFile>();
  await ask(hub, `to list ${repo.name}`, async () => {
    const of = { repo, revision: head.head, recursive: true, ...hub.asked };
    for await (const { type, path, oid, lfs, size } of hub.library.listFiles(of))
      if (type === 'file') files.set(path, { oid, sha256: lfs?.oid, size });
  });
  const manifest = files.has(exportManifest)
    ? await remoteBytes(hub, repo, head.head, exportManifest)
    : Buffer.from('');
  return { ...head, files, pushed: readExportManifest(manifest) };
}

/** The newest commit; null when there is no such repository. @throws PushNotPossible when it has another name now */
async function headOf(hub: Hub, { type, name }: Push['repo']): Promise<Changes['there']> {
  const { library, asked, refusal } = hub;
  const of = { name, additionalFields: ['sha'] as ['sha'], ...asked };
  try {
    const found = await (type === 'model' ? library.modelInfo(of) : library.datasetInfo(of));
    if (found.name !== name)
      throw new PushNotPossible(
        `The hub calls ${name} ${terminalSafe(found.name)} now. Push there: --repo ${terminalSafe(found.name)}.`,
      );
    return { head: found.sha, isPrivate: found.private };
  } catch (error) {
    const status = refusal(error)?.status;
    // Without a token, the hub does not say whether there is one.
    if (status === 404 || (status === 401 && asked.accessToken === undefined)) return null;
    throw asHubError(hub, `to read ${name}`, error);
  }
}

async function remoteBytes(hub: Hub, repo: Push['repo'], revision: string, path: string): Promise<Buffer> {
  return ask(hub, `to read ${path} of ${repo.name}`, async () => {
    // The library puts the path into an address as it is.
    const escaped = path.split('/').map(encodeURIComponent).join('/');
    const of = { repo, revision, path: escaped, ...hub.asked, xet: false };
    const blob = await hub.library.downloadFile(of);
    return Buffer.from((await blob?.arrayBuffer()) ?? new ArrayBuffer(0));
  });
}

/** By the hash that the hub has of it: SHA-256 of a large file, git's own of another. */
async function isSame(
  remote: RemoteFile,
  folder: string,
  { path, size, sha256 }: LocalFile,
): Promise<boolean> {
  if (remote.size !== size) return false;
  if (remote.sha256 !== undefined && sha256 !== undefined) return remote.sha256 === sha256;
  const hash = createHash('sha1').update(`blob ${size}\0`);
  for await (const piece of fileBlobs(folder).stream(path)) hash.update(piece);
  return remote.oid === hash.digest('hex');
}

/** The agents of one experiment do not silently take the place of those of another. @throws PushNotPossible */
async function requireSameExperiment({ repo, folder }: Push, { pushed }: Remote): Promise<void> {
  const { experiment } = await localManifest(folder);
  if (pushed.experiment === undefined || pushed.experiment === experiment) return;
  throw new PushNotPossible(
    `${repo.name} has an export of the experiment ${terminalSafe(pushed.experiment)}. --replace puts this one in its place; otherwise name another repository.`,
  );
}

/** A file that somebody else has written or changed there is not overwritten. @throws PushNotPossible */
async function requireOurs(
  hub: Hub,
  { repo }: Push,
  { head, files, pushed }: Remote,
  paths: readonly string[],
): Promise<void> {
  for (const path of paths) {
    const remote = files.get(path);
    if (remote === undefined || path === exportManifest) continue;
    const left = pushed.files[path];
    const found = async () => remote.sha256 ?? sha256Of(await remoteBytes(hub, repo, head, path));
    if (left !== undefined && (await found()) === left) continue;
    const by = left === undefined ? 'written by somebody else' : 'changed there since the last push';
    throw new PushNotPossible(
      `${terminalSafe(path)} of ${repo.name} was ${by}. --replace takes the one of the export; otherwise name another repository.`,
    );
  }
}

function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What came of a push. `commit` is null when all of it was there already. */
export type Pushed = { readonly changes: Changes; readonly commit: string | null };

/**
 * Pushes an export. After another's commit, what is there is read again; when the answer to a commit is lost, it is read whether it arrived.
 *
 * @param sent is told of each large file that has arrived
 * @throws HubNotReachable, HubRefused, PushNotPossible
 */
export async function pushExport(hub: Hub, push: Push, sent: (path: string) => void): Promise<Pushed> {
  const first = await changesOf(hub, push);
  if (first.there === null) await makeRepo(hub, push);
  let changes = first.there === null ? await changesOf(hub, push) : first;
  for (let attempt = 1; !isNothing(changes); attempt += 1) {
    try {
      return { changes: { ...changes, there: first.there }, commit: await commit(hub, push, changes, sent) };
    } catch (error) {
      const status = hub.refusal(error)?.status;
      const isBehind = status === 412 || status === 409;
      const mayHaveArrived = status === undefined || status >= 500;
      const failure = asHubError(hub, `the commit to ${push.repo.name}`, error);
      if (!isBehind && !mayHaveArrived) throw failure;
      const before = changes;
      changes = isBehind ? await changesOf(hub, push) : await changesOf(hub, push).catch(() => before);
      if (isNothing(changes)) return { changes: before, commit: changes.there?.head ?? null };
      if (!isBehind) throw failure;
      if (attempt === mostAttempts)
        throw new PushNotPossible(
          `Others commit to ${push.repo.name} all the time: ${mostAttempts} attempts came after theirs. Give the command again.`,
        );
    }
  }
  return { changes, commit: null };
}

const mostAttempts = 5;

async function makeRepo(hub: Hub, { repo, isPrivate }: Push): Promise<void> {
  const { library, asked } = hub;
  const visibility = isPrivate ? ('private' as const) : ('public' as const);
  try {
    await library.createRepo({ repo, visibility, ...asked, accessToken: asked.accessToken ?? '' });
  } catch (error) {
    // Somebody else, or an attempt whose answer was lost, has just made it.
    if (hub.refusal(error)?.status !== 409) throw asHubError(hub, `to make ${repo.name}`, error);
    if ((await headOf(hub, repo)) === null)
      throw new PushNotPossible(
        `The hub has a repository ${repo.name} already, which it does not show to the owner of this token. Name another one.`,
      );
  }
}

/** Returns the commit. @throws what the library throws */
async function commit(hub: Hub, push: Push, changes: Changes, sent: (path: string) => void): Promise<string> {
  const { repo, folder, title, description } = push;
  const { there, added, replaced, removed } = changes;
  if (there === null)
    throw new HubNotReachable(hub.asked.hubUrl, `${repo.name} was made and is not there yet`);
  const steps = hub.library.commitIter({
    repo,
    title,
    description,
    operations: [
      ...[...added, ...replaced].map(({ path }) => ({
        operation: 'addOrUpdate' as const,
        path,
        content: pathToFileURL(join(folder, path)),
      })),
      ...removed.map((path) => ({ operation: 'delete' as const, path })),
    ],
    parentCommit: there.head,
    branch: 'main',
    useXet: !withoutXet(),
    ...hub.asked,
  });
  for (;;) {
    const { done, value } = await steps.next();
    if (done) return value?.commit.oid ?? there.head;
    if (value.event === 'fileProgress' && value.state === 'uploading' && value.progress === 1)
      sent(value.path);
  }
}

/** Whether there is a repository of the other type with this name: the hub keeps the two apart, and a person may have meant that one. */
export async function hasNamesake(hub: Hub, { repo }: Push): Promise<boolean> {
  const type = repo.type === 'model' ? 'dataset' : 'model';
  return ask(hub, `to look for a ${type} ${repo.name}`, () =>
    hub.library.repoExists({ repo: { type, name: repo.name }, ...hub.asked }),
  );
}
