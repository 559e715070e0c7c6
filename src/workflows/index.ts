export { experiment } from './experiment.ts';
export { study } from './study.ts';
