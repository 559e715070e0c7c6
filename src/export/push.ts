/**
 * An export goes to a repository of the Hugging Face hub as one commit, on the commit that was read before it: pushing twice is pushing once,
 * and nobody's commit in between is lost. Large files go by Xet or LFS, where what has arrived is not sent again.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fileBlobs } from '../store/blobs-file.ts';
import { placeIn } from '../store/blobs.ts';
import { sealedBytesOf } from '../store/files/sealed.ts';
import { ask, asHubError, type Hub, HubNotReachable, withoutXet } from '../store/hub-access.ts';
import { PushNotPossible } from './errors.ts';
import { exportedFiles, exportManifest } from './folder.ts';

/** What is pushed where. */
export type Push = {
  readonly repo: { readonly type: 'model' | 'dataset'; readonly name: string };
  /** An export, absolute. */
  readonly folder: string;
  /** Of the commit. */
  readonly title: string;
  readonly description: string;
  /** Of a repository that is made. */
  readonly visibility: 'private' | 'public';
  /** Whether files that somebody else has changed there are replaced. */
  readonly replace: boolean;
};

/** What a push changes there: paths with sizes in bytes. */
export type Changes = {
  /** The commit that it comes after; null when there is no such repository yet. */
  readonly head: string | null;
  readonly added: readonly PushedFile[];
  readonly replaced: readonly PushedFile[];
  readonly removed: readonly string[];
  /** How many files are there already. */
  readonly same: number;
};
export type PushedFile = { readonly path: string; readonly size: number };

/** What a push would change. @throws HubNotReachable, HubRefused, PushNotPossible when the repository is another's or of another type */
export async function changesOf(hub: Hub, push: Push): Promise<Changes> {
  const { folder, replace } = push;
  const there = await remoteFiles(hub, push);
  const here = fileBlobs(folder);
  const seals = new Map<string, { readonly sha256: string; readonly bytes: number }>();
  for (const path of await here.list('')) {
    const sealed = await sealedBytesOf(placeIn(here, path));
    if (sealed !== null) seals.set(path, sealed);
  }
  const files = [...seals].map(([path, { bytes }]) => ({ path, size: bytes }));
  if (there === null) return { head: null, added: files, replaced: [], removed: [], same: 0 };
  const added = files.filter(({ path }) => !there.files.has(path));
  const replaced: PushedFile[] = [];
  for (const file of files) {
    const remote = there.files.get(file.path);
    if (remote !== undefined && !(await isSame(remote, folder, file, seals.get(file.path)?.sha256)))
      replaced.push(file);
  }
  const removed = Object.keys(there.pushed).filter((path) => !seals.has(path) && there.files.has(path));
  if (!replace) await requireOurs(hub, push, there, [...replaced.map(({ path }) => path), ...removed]);
  return { head: there.head, added, replaced, removed, same: files.length - added.length - replaced.length };
}

type RemoteFile = {
  readonly oid: string | undefined;
  readonly sha256: string | undefined;
  readonly size: number;
};
type Remote = {
  readonly head: string;
  readonly files: ReadonlyMap<string, RemoteFile>;
  /** The hashes of the files that the last push left, by path. */
  readonly pushed: Readonly<Record<string, string>>;
};

async function remoteFiles(hub: Hub, push: Push): Promise<Remote | null> {
  const { library, asked } = hub;
  const { repo } = push;
  const head = await headOf(hub, push);
  if (head === null) return null;
  const files = new Map<string, RemoteFile>();
  await ask(hub, `to list ${repo.name}`, async () => {
    for await (const { type, path, oid, lfs, size } of library.listFiles({
      repo,
      revision: head,
      recursive: true,
      ...asked,
    }))
      if (type === 'file') files.set(path, { oid, sha256: lfs?.oid, size });
  });
  const manifest = files.has(exportManifest) ? await remoteBytes(hub, push, head, exportManifest) : null;
  return { head, files, pushed: manifest === null ? {} : exportedFiles(manifest).files };
}

/** The newest commit; null when there is no such repository. */
async function headOf({ library, asked, refusal, ...rest }: Hub, { repo }: Push): Promise<string | null> {
  const hub = { library, asked, refusal, ...rest };
  const of = { name: repo.name, additionalFields: ['sha'] as ['sha'], ...asked };
  try {
    return (await (repo.type === 'model' ? library.modelInfo(of) : library.datasetInfo(of))).sha;
  } catch (error) {
    const status = refusal(error)?.status;
    // Without a token, the hub does not say whether there is one.
    const isUnknown = status === 404 || (status === 401 && asked.accessToken === undefined);
    if (!isUnknown) throw asHubError(hub, `to read ${repo.name}`, error);
  }
  for (const type of (['model', 'dataset', 'space'] as const).filter((each) => each !== repo.type)) {
    const found = await ask(hub, `to read ${repo.name}`, () =>
      library.repoExists({ repo: { type, name: repo.name }, ...asked }),
    );
    if (found)
      throw new PushNotPossible(
        `${repo.name} is a ${type} on the hub, and this would be a ${repo.type} of the same name. Name another repository.`,
      );
  }
  return null;
}

async function remoteBytes(
  { library, asked, ...hub }: Hub,
  { repo }: Push,
  revision: string,
  path: string,
): Promise<Buffer> {
  return ask({ library, asked, ...hub }, `to read ${path} of ${repo.name}`, async () => {
    const blob = await library.downloadFile({ repo, revision, path, ...asked, xet: false });
    return Buffer.from((await blob?.arrayBuffer()) ?? new ArrayBuffer(0));
  });
}

/** By the hash that the hub has of it: SHA-256 of a large file, git's own of another. */
async function isSame(
  remote: RemoteFile,
  folder: string,
  { path, size }: PushedFile,
  sha256: string | undefined,
): Promise<boolean> {
  if (remote.size !== size) return false;
  if (remote.sha256 !== undefined) return remote.sha256 === sha256;
  const hash = createHash('sha1').update(`blob ${size}\0`);
  for await (const piece of fileBlobs(folder).stream(path)) hash.update(piece);
  return remote.oid === hash.digest('hex');
}

/** A file that somebody else has written or changed there is not overwritten. @throws PushNotPossible */
async function requireOurs(hub: Hub, push: Push, there: Remote, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const remote = there.files.get(path);
    if (remote === undefined || path === exportManifest) continue;
    const left = there.pushed[path];
    const sha256 =
      remote.sha256 ??
      (left === undefined
        ? null
        : createHash('sha256')
            .update(await remoteBytes(hub, push, there.head, path))
            .digest('hex'));
    if (left === undefined || sha256 !== left)
      throw new PushNotPossible(
        `${path} of ${push.repo.name} was ${left === undefined ? 'written by somebody else' : 'changed there since the last push'}. --replace takes the one of the export; otherwise name another repository.`,
      );
  }
}

/** What came of a push. `commit` is null when all of it was there already. */
export type Pushed = { readonly changes: Changes; readonly commit: string | null };

/**
 * Pushes an export. After another's commit, what is there is read again; when the answer to a commit is lost, it is read whether it arrived.
 *
 * @throws HubNotReachable, HubRefused, PushNotPossible
 */
export async function pushExport(hub: Hub, push: Push): Promise<Pushed> {
  const { library, asked } = hub;
  const { repo, folder, title, description, visibility } = push;
  const first = await changesOf(hub, push);
  if (first.head === null)
    await library
      .createRepo({ repo, visibility, ...asked, accessToken: asked.accessToken ?? '' })
      .catch((error: unknown) => {
        // Somebody else, or an attempt whose answer was lost, has just made it.
        if (hub.refusal(error)?.status !== 409) throw asHubError(hub, `to make ${repo.name}`, error);
      });
  for (let attempt = 1; ; attempt += 1) {
    const changes = attempt === 1 && first.head !== null ? first : await changesOf(hub, push);
    const { head, added, replaced, removed } = changes;
    if (added.length + replaced.length + removed.length === 0)
      return { changes, commit: attempt === 1 ? null : head };
    if (head === null) throw new HubNotReachable(asked.hubUrl, `${repo.name} was made and is not there yet`);
    try {
      const done = await library.commit({
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
        parentCommit: head,
        branch: 'main',
        useXet: !withoutXet(),
        ...asked,
      });
      return { changes, commit: done?.commit.oid ?? head };
    } catch (error) {
      const status = hub.refusal(error)?.status;
      const mayHaveArrived = status === undefined || status >= 500;
      const isBehind = status === 412 || status === 409;
      if (isBehind && attempt === mostAttempts)
        throw new PushNotPossible(
          `Others commit to ${repo.name} all the time: ${mostAttempts} attempts came after theirs. Give the command again.`,
        );
      if (isBehind) continue;
      const failure = asHubError(hub, `the commit to ${repo.name}`, error);
      if (!mayHaveArrived) throw failure;
      const now = await changesOf(hub, push).catch(() => null);
      if (now === null || now.added.length + now.replaced.length + now.removed.length > 0) throw failure;
      return { changes, commit: now.head };
    }
  }
}

const mostAttempts = 3;
