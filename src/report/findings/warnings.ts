/**
 * What makes a result worth less than it looks? The one list of warnings: the terminal, `colloquy status`, Temporal's UI, the report and
 * result.json all show it.
 */
import { didMove, type DistilledRecord, leastMove } from '../../store/records/iteration.ts';
import { agentsOf, asksEmbedded } from '../../config/agents.ts';
import { agentCount, type ExperimentConfig } from '../../config/experiment.ts';
import { originOf } from '../../config/tasks.ts';
import type { BegunWith } from '../../store/base-model-files.ts';
import type { ExperimentResult, Warning } from '../../store/records/result.ts';
import { count, counted, listed } from '../../text/figures.ts';
import {
  distilledWarnings,
  few,
  type Share,
  shareWarning,
  smallGuard,
  smallSample,
  warning,
} from './finding.ts';

type Iteration = ExperimentResult['iterations'][number];

/** Counts of the answers to held-out questions. */
export type HeldOutAnswers = Pick<ExperimentResult['evaluations'][number], 'cutOff'> & {
  /** 0 is the base model. */
  readonly iteration: number;
  /** How many could not be read; undefined in records of older versions. */
  readonly unreadable?: { readonly answers: number; readonly of: number } | undefined;
};

/** What is known of an experiment: of a running one less than of a finished one. */
export type RunFacts = {
  readonly config: ExperimentConfig;
  /** How many held-out questions there are. */
  readonly heldOut: number;
  readonly iterations: readonly Iteration[];
  readonly evaluations: readonly HeldOutAnswers[];
  /** Of the one model that the group was distilled into; absent or null where there is none yet. */
  readonly distilled?: DistilledRecord | null;
  /** Absent or null before the experiment is prepared. */
  readonly begunWith?: BegunWith | null;
};

/** All warnings about an experiment, the gravest first; none about one that went well. */
export function warningsOf(facts: RunFacts): Warning[] {
  return [
    ...endpointLacks(facts),
    ...embeddedModel(facts),
    ...questionsChanged(facts),
    ...baseModelUnrecorded(facts),
    ...cutOff(facts),
    ...unreadable(facts),
    ...notTrained(facts),
    ...didNotMove(facts),
    ...tooLong(facts),
    ...oneVote(facts),
    ...correctedUnused(facts),
    ...fewPairs(facts),
    ...displaced(facts),
    ...distilledWarnings(facts.config, facts.distilled ?? null),
    ...smallGuard(facts),
    ...smallSample(facts),
  ];
}

function endpointLacks({ begunWith }: RunFacts): Warning[] {
  const lacks = begunWith?.endpointLacks ?? [];
  if (lacks.length === 0) return [];
  const text = (what: 'says' | 'remedy') => lacks.map((each) => each[what]).join(' ');
  return [warning('endpoint', text('says'), text('remedy'))];
}

/** The embedded model has learnt nothing but arithmetic in a notation of its own. */
function embeddedModel({ config }: RunFacts): Warning[] {
  if (!asksEmbedded(config)) return [];
  const transfer = Object.entries(config.transfer).map(
    ([name, task]) => [`${name} in transfer`, task] as const,
  );
  const others = [['the task', config.task] as const, ...transfer].flatMap(([what, task]) =>
    originOf(task).sums ? [] : [`${what} is ${task.kind}`],
  );
  const prompts =
    config.prompts === 'terse'
      ? []
      : [
          warning(
            'embedded model',
            `The embedded model does not understand English, and the prompts are \`${config.prompts}\`.`,
            'Set prompts: terse, or name another model.',
          ),
        ];
  return others.length === 0
    ? prompts
    : [
        warning(
          'embedded model',
          `The embedded model only knows sums such as 3+4*5-6, and ${listed(others)}: its answers to anything else mean nothing.`,
          'Unless all questions are such sums, name a model that can answer them: model.endpoint and model.model_name_or_path (docs/servers.md).',
        ),
      ];
}

function questionsChanged({ begunWith }: RunFacts): Warning[] {
  const changed = begunWith?.changedQuestionFiles ?? [];
  const says = `Changed since this experiment began: ${listed([...changed])}. Its questions are still those from the beginning.`;
  const remedy = 'To use the new ones, start another experiment under a new name.';
  return changed.length === 0 ? [] : [warning('questions changed', says, remedy)];
}

function baseModelUnrecorded({ begunWith }: RunFacts): Warning[] {
  if (begunWith?.recordedLater !== true) return [];
  const says =
    'There is no record of the base model with which this experiment began: an earlier version of Colloquy began it, or the record was ' +
    'removed. The earlier debates may be those of another model.';
  const remedy = 'If the base model was changed since, start the experiment again under a new name.';
  return [warning('base model unrecorded', says, remedy)];
}

function cutOff({ config, iterations, evaluations }: RunFacts): Warning[] {
  const limits = [...new Set(agentsOf(config).map(({ sampling }) => count(sampling.max_tokens)))];
  const share = (where: string, { responses }: HeldOutAnswers['cutOff']): Share => ({
    where,
    count: responses.cut,
    of: responses.of,
  });
  const places = [
    ...evaluations.map((each) => share(heldOutOf(each.iteration), each.cutOff)),
    ...iterations.map((each) => share(`training questions of iteration ${each.iteration}`, each.cutOff)),
  ];
  return shareWarning('cut off', places, {
    says: (shares) => `Answers that were cut off before they ended: ${shares}.`,
    remedy: `Raise sampling.max_tokens (it is ${listed(limits)}), or take a model that answers more briefly.`,
  });
}

function unreadable({ config, iterations, evaluations }: RunFacts): Warning[] {
  const training = iterations.map(({ iteration, consensus }) => ({
    where: `training questions of iteration ${iteration}`,
    count: consensus.unparsableAnswers,
    of: consensus.answers ?? consensus.questions * agentCount(config) * config.rounds,
  }));
  const heldOut = evaluations.flatMap(({ iteration, unreadable: found }) =>
    found === undefined ? [] : [{ where: heldOutOf(iteration), count: found.answers, of: found.of }],
  );
  return shareWarning('unreadable', [...heldOut, ...training], {
    says: (shares) => `Answers that could not be read, and so have no vote: ${shares}.`,
    remedy:
      'Read a few with `colloquy show`: the model may not give its answer as the prompt asks, or be cut off before it does.',
  });
}

/** The models that learnt nothing in an iteration, with the reason for each role. */
function notTrained({ iterations, config }: RunFacts): Warning[] {
  const idle = iterations.flatMap((each) => {
    const without = each.fineTunes.filter(({ model }) => model === null);
    return without.length === 0 ? [] : [{ ...each, without }];
  });
  if (idle.length === 0) return [];
  const lines = idle.map(({ iteration, fineTunes, without, consensus, datasets }) => {
    const roles = [...new Set(without.map(({ role }) => role))];
    const reasons = roles.map((role) => {
      const agents = without.filter((each) => each.role === role).map(({ agent }) => agent);
      const built = datasets.filter((each) => each.role === role && agents.includes(each.agents[0] ?? 0));
      return `${role} (${agents.length === 1 ? 'agent' : 'agents'} ${listed(agents.map(String))}): ${whyEmpty(consensus, built)}`;
    });
    return `${without.length} of ${fineTunes.length} in iteration ${iteration}: ${reasons.join('; ')}`;
  });
  const remedy =
    config.min_votes > 1
      ? 'Ask more training questions (task.train_size), or let min_votes be smaller.'
      : 'Ask more training questions (task.train_size).';
  return [warning('not trained', `Models that learnt nothing: ${few(lines)}.`, remedy)];
}

function whyEmpty(
  { questions, withoutLabel }: Iteration['consensus'],
  datasets: readonly Iteration['datasets'][number][],
): string {
  if (questions === withoutLabel) return `none of the ${count(questions)} questions had a label`;
  if (datasets.some(({ objective }) => objective !== undefined))
    return 'no answers could be compared: to no question did some equal the label and others not';
  const cut = sum(datasets.map((each) => each.cut));
  if (cut > 0)
    return `the ${counted(cut, 'answer')} that equalled a label ${cut === 1 ? 'was' : 'were'} cut off`;
  const parts = datasets.flatMap((each) => Object.entries(each.parts));
  const missing = [...new Set(parts.map(([name]) => name))].filter((name) =>
    parts.some(([each, { available }]) => each === name && available === 0),
  );
  return missing.length > 0 ? `there was no ${listed(missing)} dialogue` : 'no answer equalled a label';
}

/** The models that a fine-tune left where they were. */
function didNotMove({ config, iterations }: RunFacts): Warning[] {
  const lines = iterations.flatMap(({ iteration, fineTunes }) => {
    const still = fineTunes.filter(({ moved }) => didMove(moved) === false);
    const farthest = Math.max(...still.map(({ moved }) => moved?.klPerToken ?? 0));
    return still.length === 0
      ? []
      : [
          `${still.length} of ${fineTunes.length} in iteration ${iteration} (at most ${farthest.toExponential(1)} nats a token, less than ${leastMove})`,
        ];
  });
  if (lines.length === 0) return [];
  const remedy =
    `Raise fine_tune.learning_rate (it is ${config.fine_tune.learning_rate}; LoRA learns at about 2e-4), ` +
    'or have more optimiser steps: fewer rows in a step, more epochs or more training questions.';
  return [warning('did not move', `Models that were trained and did not move: ${few(lines)}.`, remedy)];
}

function tooLong({ config, iterations }: RunFacts): Warning[] {
  const places = iterations.map(({ iteration, fineTunes }) => ({
    where: `iteration ${iteration}`,
    count: sum(fineTunes.map(({ droppedRows }) => droppedRows)),
    of: sum(fineTunes.map(({ rows }) => rows)),
  }));
  return shareWarning('too long', places, {
    says: (shares) => `Rows that were left out of training because they are too long: ${shares}.`,
    remedy: `Raise fine_tune.max_length (it is ${count(config.fine_tune.max_length)} tokens), or let answers be shorter (sampling.max_tokens).`,
  });
}

/** A label of one vote is an answer that no other agent gave. */
function oneVote({ config, iterations }: RunFacts): Warning[] {
  const both = config.label_votes === 'both';
  if (agentCount(config) === 1 || config.label_source === 'gold') return [];
  const places = iterations.map(({ iteration, consensus }) => ({
    where: `iteration ${iteration}`,
    count: consensus.oneVote ?? 0,
    of: consensus.questions - consensus.withoutLabel,
  }));
  return shareWarning('one vote', places, {
    says: (shares) =>
      `Labels ${both ? 'that one agent alone voted for' : 'with one vote, drawn among answers on which no two agents agreed'}: ${shares}.`,
    remedy: `Set min_votes: ${both ? config.rounds + 1 : 2}, so that nothing is learnt from such questions.`,
  });
}

function correctedUnused({ iterations }: RunFacts): Warning[] {
  const places = iterations.map(({ iteration, datasets }) => {
    const corrected = datasets.flatMap(({ parts }) => parts['corrected'] ?? []);
    const available = sum(corrected.map((each) => each.available));
    return {
      where: `iteration ${iteration}`,
      count: available - sum(corrected.map(({ used }) => used)),
      of: available,
    };
  });
  return shareWarning('corrected unused', places, {
    says: (shares) => `Corrected dialogues from which no critic learnt: ${shares}.`,
    remedy:
      'critic_weight is the share of corrected dialogues in a critic dataset: a greater one uses more of them, and critic_mixture: weight uses all.',
    least: 0.2,
  });
}

/** Models that were to compare answers and kept to imitation. */
function fewPairs({ config, iterations }: RunFacts): Warning[] {
  const lines = iterations.flatMap(({ iteration, datasets }) => {
    const kept = datasets.filter(
      ({ parts, objective }) => parts['pairs'] !== undefined && objective === undefined,
    );
    const most = Math.max(...kept.map(({ parts }) => parts['pairs']?.available ?? 0));
    return kept.length === 0
      ? []
      : [`${kept.length} of ${datasets.length} in iteration ${iteration} (at most ${counted(most, 'pair')})`];
  });
  if (lines.length === 0) return [];
  return [
    warning(
      'few pairs',
      `Models that kept to imitation, because they had fewer than ${config.min_pairs} pairs of answers to compare: ${few(lines)}.`,
      'Ask more training questions (task.train_size): pairs exist only where agents disagree. Few pairs are mostly wrong labels, so a smaller min_pairs can do harm.',
    ),
  ];
}

/** Models that find also the answers that they were to prefer less likely than before. */
function displaced({ config, iterations }: RunFacts): Warning[] {
  const places = iterations.map(({ iteration, fineTunes }) => {
    const compared = fineTunes.flatMap(({ rewards }) => rewards ?? []);
    return {
      where: `iteration ${iteration}`,
      count: compared.filter(({ chosen }) => chosen < 0).length,
      of: compared.length,
    };
  });
  return shareWarning('displaced', places, {
    says: (shares) =>
      `Models that find even the chosen answers less likely than before their training: ${shares}.`,
    remedy: `Accuracy often falls then. Lower fine_tune.learning_rate (it is ${config.fine_tune.learning_rate}) or num_train_epochs, or raise fine_tune.sft_weight.`,
  });
}

const heldOutOf = (iteration: number): string =>
  `held-out questions, ${iteration === 0 ? 'base model' : `after iteration ${iteration}`}`;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
