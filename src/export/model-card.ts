import type { Evaluation } from '../algorithm/evaluation.ts';
import { count } from '../text/figures.ts';
import { fenced } from '../text/markdown.ts';
import type { StoredManifest } from '../store/models.ts';
import { accuracyTable, card, licenceSection, provenance, settingsBlock, textTable } from './card.ts';
import type { AgentModel, FinishedIteration } from './finished-iteration.ts';

/**
 * The README.md of an exported LoRA adapter.
 *
 * @param name of its folder, e.g. `agent-1-critic`
 */
export function modelCard(
  name: string,
  { agent, role, madeIn }: AgentModel,
  manifest: StoredManifest,
  done: FinishedIteration,
): string {
  const { experiment, iteration, config, evaluations } = done;
  const base = config.model.model_name_or_path;
  const [first, last] = [evaluations[0], evaluations.at(-1)];
  return card(
    {
      base_model: base,
      library_name: 'peft',
      pipeline_tag: 'text-generation',
      tags: ['lora', 'trl', 'sft', 'colloquy', 'multiagent-finetuning'],
      ...(last === undefined ? {} : { 'model-index': [modelIndex(name, last, done)] }),
    },
    [
      `# ${experiment}, iteration ${iteration}: ${role} model of agent ${agent}`,
      `${provenance} A LoRA adapter of \`${base}\`: the ${role} model of agent ${agent} of ${config.agents}, as iteration ` +
        `${iteration} left it${madeInWords(madeIn, iteration)}. One adapter is one agent's part; the accuracies below are those of all agents together.`,
      ...(/^[\w.-]+\/[\w.-]+$/.test(base)
        ? []
        : [
            `\`base_model\` is a folder of the machine that trained it. To publish this on the Hub, write the base model's id instead, here and in adapter_config.json.`,
          ]),
      `## Training\n\nTRL's \`SFTTrainer\`, loss on the completion alone, on ${count(manifest.dataset.rows)} rows ` +
        `(${madeIn === null ? '' : `\`colloquy export ${experiment} --iteration ${madeIn}\` writes them; `}SHA-256 of the file ${manifest.dataset.sha256}), from ` +
        `${manifest.init_adapter === null ? 'the base model' : "this agent's adapter of the iteration before"}.`,
      textTable(
        ['optimiser steps', 'tokens', 'loss at the end', 'seed'],
        [
          [
            count(manifest.steps),
            count(manifest.tokens),
            manifest.final_loss?.toFixed(4) ?? '–',
            String(manifest.seed),
          ],
        ],
      ),
      settingsBlock(manifest.settings),
      `## Evaluation\n\n${count(last?.questions ?? 0)} held-out questions, ± one standard error: the agents together before any fine-tune of this experiment and after iteration ${iteration}. ` +
        '`single answer` is the mean over the agents, `debate` uses the models of every role.',
      accuracyTable([first, last].filter((each) => each !== undefined)),
      `## Use\n\n${fenced(inPython(base, name), 'python')}\n\n${fenced(inVllm(base, name, manifest), 'sh')}`,
      `It was trained on dialogues in the words of Colloquy's prompts \`${config.prompts}\`; other words may get other answers.`,
      textTable(['made with', 'version'], Object.entries(manifest.versions)),
      licenceSection,
    ],
  );
}

function madeInWords(madeIn: number | null, iteration: number): string {
  if (madeIn === iteration) return '';
  return madeIn === null
    ? ' (older than the experiment, which had nothing for it to learn from)'
    : ` (trained in iteration ${madeIn}; since then there was nothing for it to learn from)`;
}

/** The figures in the form of https://huggingface.co/docs/hub/model-cards, as shares. */
function modelIndex(name: string, evaluation: Evaluation, { experiment, config }: FinishedIteration): object {
  const figures = { 'single answer': 'single', majority: 'majority', debate: 'debate' } as const;
  return {
    name: `${experiment}-${name}`,
    results: [
      {
        task: { type: 'text-generation' },
        dataset: { type: config.task.kind, name: `held-out questions of ${experiment}` },
        metrics: Object.entries(figures).map(([what, figure]) => ({
          type: 'accuracy',
          name: `accuracy of the ${config.agents} agents' ${what}`,
          value: evaluation[figure].accuracy,
        })),
      },
    ],
  };
}

function inPython(base: string, name: string): string {
  return [
    'from peft import PeftModel',
    'from transformers import AutoModelForCausalLM, AutoTokenizer',
    '',
    `tokenizer = AutoTokenizer.from_pretrained(${JSON.stringify(base)})`,
    `model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(${JSON.stringify(base)}), ${JSON.stringify(name)})`,
  ].join('\n');
}

function inVllm(base: string, name: string, { settings }: StoredManifest): string {
  const rank = Number(settings['lora_r']);
  return `vllm serve ${JSON.stringify(base)} --enable-lora --max-lora-rank ${vllmRanks.find((each) => each >= rank) ?? rank} --lora-modules ${name}=./${name}`;
}

/** The values that vLLM accepts for --max-lora-rank. */
const vllmRanks = [8, 16, 32, 64, 128, 256, 320, 512];
