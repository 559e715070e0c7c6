/** The traps of networks and of the SDK, on a real S3 server. */
import { startS3 } from './real-s3.ts';
import { trapContract } from './traps.contract.ts';

trapContract('versitygw', startS3);
