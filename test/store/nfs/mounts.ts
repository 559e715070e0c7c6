/** Three mounts of one NFS export, as on three hosts: two without caches of attributes (noac), and one with them. None: no NFS here. */
export const nfsMounts = (process.env['COLLOQUY_NFS_MOUNTS'] ?? '').split(',').filter((path) => path !== '');

/** Why tests on NFS are skipped, as the end of their title. */
export const whyNoNfs =
  nfsMounts.length === 0
    ? ' (skipped: NFS has to be mounted by root, which test/store/nfs/run.sh does in a kernel of its own)'
    : '';
