import { compareExperiments, differingQuestions } from '../../report/analyse/compare-experiments.ts';
import { readEvaluatedExperiment } from '../../report/read/experiment.ts';
import { openStore } from '../../store/store.ts';
import { wantsColours } from '../colours.ts';
import { command, jsonFlag } from '../command.ts';
import { comparisonText, differingText } from '../comparison-text.ts';
import { exitCodes } from '../exit-codes.ts';
import { experimentName } from '../experiment-argument.ts';
import { iterationOption } from '../iteration-option.ts';
import { printJson } from '../print-json.ts';

/** `colloquy compare A B` */
export const compare = command({
  name: 'compare',
  description: 'compare two finished experiments on the held-out questions that both have',
  examples: [
    'colloquy compare quickstart second',
    'colloquy compare quickstart second --iteration 2 --questions   # and which questions only one got right',
  ],
  args: {
    a: { type: 'positional', description: "an experiment's name", required: true },
    b: { type: 'positional', description: "another experiment's name", required: true },
    iteration: {
      type: 'string',
      description: 'only this one (0: the base model; default: all)',
      valueHint: 'i',
    },
    questions: {
      type: 'boolean',
      description: 'list the questions that only one got right (default: after the last iteration of both)',
      default: false,
    },
    ...jsonFlag,
  },
  run: async ({ a: nameOfA, b: nameOfB, iteration, questions, json }) => {
    const wanted = iterationOption(iteration, 'compare');
    const store = openStore();
    const a = await readEvaluatedExperiment(store.experiment(experimentName(nameOfA)));
    const b = await readEvaluatedExperiment(store.experiment(experimentName(nameOfB)));
    const comparison = compareExperiments(a, b, wanted);
    const last = Math.max(
      ...comparison.iterations.filter(({ tests }) => tests).map((each) => each.iteration),
    );
    const differing = questions ? await differingQuestions(a, b, last) : undefined;
    if (json)
      printJson({
        ...comparison,
        ...(differing && { differing: { iteration: last, questions: differing } }),
      });
    else {
      console.log(comparisonText(comparison, { colours: wantsColours() }));
      if (differing !== undefined) console.log(`\n${differingText(comparison, last, differing)}`);
    }
    return exitCodes.ok;
  },
});
