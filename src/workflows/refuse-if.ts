import { ApplicationFailure } from '@temporalio/workflow';

/** Of an update's validator: refuses it, so that it leaves no trace in the history. @throws ApplicationFailure `Refused` */
export function refuseIf(refused: boolean, reason: string): void {
  if (refused) throw ApplicationFailure.nonRetryable(reason, 'Refused');
}
