/** What tests of a store need: keys, and no search for the keys of a machine of AWS. */
export const keys = {
  AWS_ACCESS_KEY_ID: 'colloquy-tests',
  AWS_SECRET_ACCESS_KEY: 'a-secret-of-the-tests',
  AWS_EC2_METADATA_DISABLED: 'true',
};
