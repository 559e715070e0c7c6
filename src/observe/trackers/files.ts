/** How do TensorBoard and Weights & Biases get an experiment's metrics? As files that are made whole from metrics.jsonl each time. */
import { join } from 'node:path';
import { projectRoot } from '../../config/installation.ts';
import { type BareGroup, startBareGroup } from '../../engines/process/process-group.ts';
import { onAbort } from '../../engines/waiting.ts';
import { messageOf } from '../../errors.ts';
import { isThere, writeBytes } from '../../store/blobs.ts';
import { lineOf } from '../../store/files/rows.ts';
import type { ExperimentFiles, Store } from '../../store/store.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { flatSettings, lineId, type Metrics, type Tracker, TrackerFailed } from './tracker.ts';

/** A file of events in the experiment's folder: `tensorboard --logdir runs`. It needs neither TensorBoard nor TensorFlow here. */
export function tensorboard(files: ExperimentFiles): Tracker {
  const file = files.tracked.tensorboard;
  return {
    where: file.where,
    takesLines: true,
    async send(metrics, had) {
      if (metrics.lines.some((line) => !had.has(lineId(line))) || !(await isThere(file)))
        await writeBytes(file, eventFile(metrics));
    },
  };
}

/** The same metrics give the same bytes. */
export function eventFile({ run, lines }: Metrics): Buffer {
  const begun = Date.parse(run.begunAt) / 1000;
  const config = Object.entries(flatSettings(run.config)).map(([key, value]) => `    ${key}: ${value}`);
  return Buffer.concat([
    record(event(begun, 0, [3, Buffer.from('brain.Event:2')])),
    record(event(begun, 0, [5, text('config', config.join('\n'))])),
    ...lines.map(({ step, seconds, metrics }) =>
      record(event(begun + seconds, step, [5, Buffer.concat(Object.entries(metrics).map(scalar))])),
    ),
  ]);
}

/** tensorflow.Event: its time, its step, and a field with what has happened. */
function event(wallTime: number, step: number, [field, content]: readonly [number, Buffer]): Buffer {
  const time = Buffer.alloc(8);
  time.writeDoubleLE(wallTime);
  return Buffer.concat([Buffer.from([0x09]), time, varintField(2, step), bytesField(field, content)]);
}

/** A tensorflow.Summary with one number. */
function scalar([tag, value]: readonly [string, number]): Buffer {
  const number = Buffer.alloc(5);
  number.writeUInt8(0x15);
  number.writeFloatLE(value, 1);
  return bytesField(1, Buffer.concat([bytesField(1, Buffer.from(tag)), number]));
}

/** A tensorflow.Summary with a text, as TensorBoard's plugin `text` reads it: a tensor of strings without dimensions. */
function text(tag: string, content: string): Buffer {
  const plugin = bytesField(1, bytesField(1, Buffer.from('text')));
  const tensor = [
    varintField(1, stringType),
    bytesField(2, Buffer.alloc(0)),
    bytesField(8, Buffer.from(content)),
  ];
  const value = [
    bytesField(1, Buffer.from(tag)),
    bytesField(9, plugin),
    bytesField(8, Buffer.concat(tensor)),
  ];
  return bytesField(1, Buffer.concat(value));
}
const stringType = 7;

function varintField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function bytesField(field: number, content: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/** TFRecord: the length and the content, each with its checksum. */
function record(content: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(content.length));
  return Buffer.concat([length, maskedCrc(length), content, maskedCrc(content)]);
}

function maskedCrc(bytes: Buffer): Buffer {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (castagnoli[(crc ^ byte) & 0xff] ?? 0);
  crc = ~crc >>> 0;
  const masked = Buffer.alloc(4);
  masked.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return masked;
}

/** CRC-32C: Node has CRC-32 alone, which is of another polynomial. */
const castagnoli = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** Making a run and sending it takes the client some seconds, on a busy machine minutes. For a server that never answers it would wait for ever. */
const wandbSeconds = 300;

/**
 * Weights & Biases, by its own client (engine/track_wandb.py), in the Python that COLLOQUY_WANDB_PYTHON names: by default the `python3` of the
 * machine. All else is in wandb's own variables. With WANDB_MODE=offline the run stays in a folder, for `wandb sync`.
 */
export function wandb(
  store: Store,
  files: ExperimentFiles,
  environment: NodeJS.ProcessEnv,
  seconds = wandbSeconds,
): Tracker {
  const python = environment['COLLOQUY_WANDB_PYTHON'] || 'python3';
  const folder = environment['WANDB_DIR'] || join(store.local, files.tracked.folder.name);
  const offline = environment['WANDB_MODE'] === 'offline';
  const project = environment['WANDB_PROJECT'] || 'colloquy';
  const key = environment['WANDB_API_KEY'] ?? '';
  const own = Object.entries(environment).filter(([name]) => name.startsWith('WANDB_'));
  const settings = Object.fromEntries(own.map(([name, value]) => [name, value ?? '']));
  const server = environment['WANDB_BASE_URL'] || 'https://wandb.ai';
  return {
    where: offline ? join(folder, 'wandb') : `${server} (project ${project})`,
    takesLines: false,
    async send(metrics, had, signal) {
      if (metrics.lines.length > 0 && metrics.lines.every((line) => had.has(lineId(line)))) return;
      const program = join(projectRoot, 'engine', 'track_wandb.py');
      const args = [program, String(seconds), project, ...(offline ? [folder] : [])];
      const group = await startBareGroup(python, args, { settings }).catch((error: unknown) => {
        throw new TrackerFailed('wandb', messageOf(error), pythonRemedy);
      });
      const { code, said } = await outputOf(group, metrics, signal);
      if (code === 0) return;
      const shown = terminalSafe(key === '' ? said : said.replaceAll(key, '[key]')).trim();
      if (code === noClient) throw new TrackerFailed('wandb', `${python} has no package wandb`, pythonRemedy);
      if (signal.aborted) throw new TrackerFailed('wandb', 'its client was stopped', 'It is sent later.');
      throw code === tookTooLong
        ? new TrackerFailed(
            'wandb',
            offline
              ? `its client has not made the run within ${seconds} s`
              : `${server} has not taken the run within ${seconds} s`,
            'Does it answer? With WANDB_MODE=offline runs stay in a folder, for `wandb sync`.',
          )
        : new TrackerFailed(
            'wandb',
            `its client has failed: ${shown.slice(-400)}`,
            'Is WANDB_API_KEY set where the worker runs?',
          );
    },
  };
}

const pythonRemedy =
  'Install it there (pip install wandb), or set COLLOQUY_WANDB_PYTHON to a Python that has it.';
/** What the program ends with where wandb cannot be imported, and where it is not done in time. */
const noClient = 3;
const tookTooLong = 4;
/** The program ends what it has under way, and removes its scratch folder. */
const graceMs = 5_000;

async function outputOf(
  group: BareGroup,
  { run, lines }: Metrics,
  signal: AbortSignal,
): Promise<{ readonly code: number | null; readonly said: string }> {
  let said = '';
  for (const stream of [group.stdout, group.stderr])
    stream.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString('utf8')}`.slice(-10_000);
    });
  const stopListening = onAbort(signal, () => void group.stop(graceMs));
  group.stdin.end([run, ...lines].map(lineOf).join(''));
  const { code } = await group.exited;
  stopListening();
  return { code, said };
}
