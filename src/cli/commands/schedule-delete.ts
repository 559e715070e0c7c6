import { changeSchedule } from '../change-schedule.ts';
import { command, jsonFlag } from '../command.ts';
import { scheduleArgument } from '../schedule-argument.ts';
import { seriesOf } from '../schedule-text.ts';

/** `colloquy schedule delete NAME` */
export const scheduleDelete = command({
  name: 'schedule delete',
  description: 'remove a schedule; a night that runs goes on, and what nights have made stays',
  examples: ['colloquy schedule delete nightly'],
  args: { ...scheduleArgument, ...jsonFlag },
  run: (args) =>
    changeSchedule(args, async ({ handle, description }) => {
      await handle.delete();
      const running = description.info.runningActions.map(({ workflow }) => workflow.workflowId);
      const still = running.length > 0 ? ` Still running: ${running.join(', ')}.` : '';
      const series = seriesOf(description);
      const kept =
        series === undefined
          ? ''
          : ` A schedule that is made with this name again goes on with the series ${series}.`;
      return `deleted.${still}${kept}`;
    }),
});
