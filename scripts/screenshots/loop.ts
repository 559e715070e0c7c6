/**
 * `npx tsx scripts/screenshots/loop.ts` draws README's picture of the loop: docs/images/loop-light.svg and loop-dark.svg. The colours are
 * those of the reports (`src/report/pages/base.css`). The picture is a drawing and has no figures.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../../src/config/installation.ts';

const size = { width: 1000, height: 616 };
/** Where each agent's lane is, and the colour of its models. */
const agents = [
  { name: 'agent 1', y: 124, colour: 'single' },
  { name: 'agent 2', y: 188, colour: 'majority' },
  { name: 'agent 3', y: 252, colour: 'good' },
] as const;
/** The middle of each round's answers, from left to right. */
const rounds = [
  { x: 352, says: 'first answer' },
  { x: 494, says: 'answer' },
  { x: 667, says: 'last answer' },
] as const;

const css = await readFile(join(projectRoot, 'src', 'report', 'pages', 'base.css'), 'utf8');
const [light, dark] = [...css.matchAll(/:root \{([^}]*)\}/g)].map(([, rules = '']) => rules);
if (light === undefined || dark === undefined)
  throw new Error('base.css: the colours are not where they were');

for (const [scheme, rules] of Object.entries({ light, dark })) {
  const file = join(projectRoot, 'docs', 'images', `loop-${scheme}.svg`);
  await writeFile(file, picture(rules));
  console.log(file);
}

function picture(colours: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-labelledby="title words">
<title id="title">The loop of multiagent finetuning</title>
<desc id="words">Three agents, copies of one model, answer a question and debate it. The majority of their last answers is the label. Each agent
gets a generation dataset of its first answers that agree with the label, and a critic dataset of its debates that end with the label. Each of
its two models is fine-tuned on its own dataset. The next iteration debates with the new models, and held-out questions measure them. Temporal
holds all steps together.</desc>
<style>
svg { ${colours.trim().replaceAll(/\s+/g, ' ')} font: 15px system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif; }
text { fill: var(--ink); } .small { font-size: 13px; fill: var(--muted); } .bold { font-weight: 600; } .middle { text-anchor: middle; }
.card { fill: var(--card); stroke: var(--edge); } .frame { fill: var(--paper); stroke: var(--edge); stroke-dasharray: 6 5; }
.lane { fill: var(--soft); } .way { fill: none; stroke: var(--muted); stroke-width: 2; } .head { fill: var(--muted); } .thin { stroke-width: 1; opacity: .55; }
${agents.map(({ colour }) => `.${colour} { stroke: var(--${colour}); stroke-width: 2; fill: var(--card); }`).join(' ')}
</style>
<rect width="${size.width}" height="${size.height}" rx="14" fill="var(--paper)"/>
<rect class="frame" x="12" y="12" width="976" height="592" rx="12"/>
${card(34, 152, 118, 72)}
${words(93, 182, 'questions', 'bold middle')}${words(93, 203, 'without labels', 'small middle')}
${way('M152 188 H186')}
${card(190, 36, 560, 256)}
${words(210, 62, 'debate', 'bold')}
${words(352, 62, 'round 1', 'small middle')}${words(494, 62, 'round 2', 'small middle')}${words(667, 62, 'round M', 'small middle')}
${words(352, 81, 'generation models', 'small middle')}${words(580, 81, 'critic models', 'small middle')}
${[...agents.map(lane), ...agents.flatMap(reads), ...agents.map(answers)].join('\n')}
${way('M750 188 H788')}
${card(792, 136, 174, 104)}
${words(879, 166, 'majority vote', 'bold middle')}${words(879, 190, 'the most frequent', 'small middle')}
${words(879, 207, 'last answer is the label', 'small middle')}
${way('M879 240 V348')}
${card(690, 352, 276, 162)}
${words(828, 378, 'two datasets for each agent', 'bold middle')}
${words(706, 406, 'generation')}${words(706, 425, 'first answers that agree with the label', 'small')}
${words(706, 454, 'critic')}${words(706, 473, 'debates that end with the label:', 'small')}
${words(706, 490, 'first answers kept, or corrected', 'small')}
${way('M690 433 H652')}
${card(412, 352, 236, 162)}
${words(530, 378, '2N fine-tunes', 'bold middle')}
${agents.map(models).join('\n')}
${way('M412 433 H374')}
${card(190, 352, 180, 162)}
${words(280, 378, 'held-out questions', 'bold middle')}
${words(280, 408, 'measure single answers,', 'small middle')}${words(280, 425, 'their majority, debates:', 'small middle')}
${words(280, 454, 'accuracy, paired tests,', 'small middle')}${words(280, 471, 'diversity, cost', 'small middle')}
${way('M530 352 V296')}
${words(518, 328, 'the next iteration debates with the new models', 'small end')}
${words(500, 552, 'One Temporal workflow holds this together: every step is retried and resumed, every answer is in a journal,', 'small middle')}
${words(500, 573, 'and the store keeps every debate, dataset and model with its hash.', 'small middle')}
</svg>
`
    .replace('.middle {', '.end { text-anchor: end; } .middle {')
    .replaceAll(/\n{2,}/g, '\n');
}

function lane({ name, y }: (typeof agents)[number]): string {
  return `<rect class="lane" x="204" y="${y - 25}" width="532" height="50" rx="8"/>${words(216, y + 5, name)}`;
}

/** From the second round on, an agent reads what the others said in the round before. */
function reads({ y }: (typeof agents)[number]): string[] {
  return rounds.slice(1).flatMap(({ x }, before) =>
    agents.map((other) => {
      const [from, to] = [(rounds[before]?.x ?? x) + 51, x - 51];
      return `<path class="way thin" d="M${from} ${other.y} C${from + 20} ${other.y} ${to - 20} ${y} ${to} ${y}"/>`;
    }),
  );
}

function answers({ y, colour }: (typeof agents)[number]): string {
  return rounds
    .map(
      ({ x, says }) =>
        `<rect class="${colour}" x="${x - 50}" y="${y - 17}" width="100" height="34" rx="8"/>${words(x, y + 5, says, 'middle small')}`,
    )
    .join('\n');
}

/** The two models of an agent. */
function models({ name, colour }: (typeof agents)[number], at: number): string {
  const y = 396 + at * 38;
  return [
    words(424, y + 19, name, 'small'),
    `<rect class="${colour}" x="478" y="${y}" width="86" height="29" rx="7"/>`,
    words(521, y + 19, 'generation', 'middle small'),
    `<rect class="${colour}" x="572" y="${y}" width="64" height="29" rx="7"/>`,
    words(604, y + 19, 'critic', 'middle small'),
  ].join('\n');
}

function card(x: number, y: number, width: number, height: number): string {
  return `<rect class="card" x="${x}" y="${y}" width="${width}" height="${height}" rx="10"/>`;
}

function words(x: number, y: number, text: string, look = ''): string {
  return `<text x="${x}" y="${y}"${look === '' ? '' : ` class="${look}"`}>${text}</text>`;
}

/** A way that ends in an arrow head: its last step is straight, to the right (H), to the left, down (V) or up. */
function way(path: string): string {
  const [, fromX = 0, fromY = 0] = (/^M(\d+) (\d+)/.exec(path) ?? []).map(Number);
  const [, axis = 'H', end = '0'] = /([HV])(\d+)$/.exec(path) ?? [];
  const [x, y] = axis === 'H' ? [Number(end), fromY] : [fromX, Number(end)];
  const turn = axis === 'H' ? (x > fromX ? 0 : 180) : y > fromY ? 90 : -90;
  return `<path class="way" d="${path}"/><path class="head" transform="translate(${x} ${y}) rotate(${turn})" d="M4 0 L-7 -6 V6 Z"/>`;
}
