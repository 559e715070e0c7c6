import type { ExperimentConfig } from '../../src/config/experiment.ts';
import { createTasks } from '../../src/questions/open-task.ts';
import * as task from '../../src/questions/open-task.ts';

type Settings = Pick<ExperimentConfig, 'task' | 'seed'>;

const tasks = createTasks();

/** The questions of an experiment with these settings. */
export function loadTask(settings: Settings, signal?: AbortSignal): Promise<task.TaskData> {
  return task.loadQuestions(tasks.open(settings.task), settings.seed, signal);
}

export function loadHeldOut(settings: Settings, signal?: AbortSignal) {
  return task.loadHeldOut(tasks.open(settings.task), settings.seed, signal);
}

export function loadNight(settings: Settings, before: task.Before | null, signal?: AbortSignal) {
  return task.loadNight(tasks.open(settings.task), settings.seed, before, signal);
}
