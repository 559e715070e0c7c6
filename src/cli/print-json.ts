/** A value on stdout for programs: indented, as people read it too. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}
