/** Of an environment variable that holds a key, by which it is kept from the programs that a worker starts. */
export const keyName = /(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD)(_|$)/i;
