/** Versions as programs print them. */

/**
 * The first version number in `text` as numbers, e.g. `Python 3.11.7` -> [3, 11, 7]; null when there is none.
 *
 * @param {string} text
 * @returns {number[] | null}
 */
export function parseVersion(text) {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match === null ? null : match.slice(1).map((part) => Number(part ?? 0));
}

/**
 * Whether `version` (as printed by a program) is `minimum` or newer. A text without a version is not.
 *
 * @param {string} version
 * @param {string} minimum
 */
export function atLeast(version, minimum) {
  const have = parseVersion(version);
  const want = parseVersion(minimum);
  if (have === null || want === null) return false;
  const difference = have.map((part, index) => part - (want[index] ?? 0)).find((d) => d !== 0);
  return difference === undefined || difference > 0;
}
