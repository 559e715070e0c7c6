/** Which names of settings do people know from other programs? Two of them are accepted; of the others an error names ours. */

type Settings = Readonly<Record<string, unknown>>;

/** An accepted name in a config, and the setting that it means. */
export type OtherName = { readonly given: string; readonly means: string };

/**
 * A config in which the accepted other names are replaced by ours: `model: ID` is `model: {model_name_or_path: ID}`, here and in each of
 * `agents` and in `summarizer`, and `lr` (at the top or in `fine_tune`) is `fine_tune.learning_rate`. Where a config also has our name, the other name stays and is refused as an unknown key.
 */
export function withOwnNames(config: Settings): Settings {
  const { lr, ...rest } = config;
  const { agents, summarizer } = rest;
  const named: Settings = {
    ...withNamedModel(rest),
    ...(Array.isArray(agents) ? { agents: agents.map(ofSpeaker) } : {}),
    ...('summarizer' in rest ? { summarizer: ofSpeaker(summarizer) } : {}),
  };
  const fineTune = named['fine_tune'] ?? {};
  if (!isSettings(fineTune)) return lr === undefined ? named : { ...named, lr };
  const { lr: inner, ...settings } = fineTune;
  const rate = [lr, inner].filter((each) => each !== undefined);
  if (rate.length === 0) return named;
  if (rate.length > 1 || 'learning_rate' in settings) return lr === undefined ? named : { ...named, lr };
  return { ...named, fine_tune: { ...settings, learning_rate: rate[0] } };
}

function ofSpeaker(settings: unknown): unknown {
  return isSettings(settings) ? withNamedModel(settings) : settings;
}

function withNamedModel(settings: Settings): Settings {
  const { model } = settings;
  return typeof model === 'string' ? { ...settings, model: { model_name_or_path: model } } : settings;
}

/** The accepted other names in a config, so that a message can show ours. */
export function otherNamesIn(config: Settings): OtherName[] {
  const { fine_tune: fineTune, agents } = config;
  return [
    ...[
      { path: 'model', settings: config },
      ...(Array.isArray(agents) ? agents : []).map((settings: unknown, index) => ({
        path: `agents.${index}.model`,
        settings,
      })),
      { path: 'summarizer.model', settings: config['summarizer'] },
    ].flatMap(({ path, settings }) =>
      isSettings(settings) && typeof settings['model'] === 'string'
        ? [{ given: path, means: `${path}.model_name_or_path` }]
        : [],
    ),
    ...('lr' in config ? [{ given: 'lr', means: learningRate }] : []),
    ...(isSettings(fineTune) && 'lr' in fineTune ? [{ given: 'fine_tune.lr', means: learningRate }] : []),
  ];
}

function isSettings(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const learningRate = 'fine_tune.learning_rate';

/**
 * What to write for a key of another program, or of an earlier version, whose value decides it: `use_peft: false` is
 * `fine_tune.method: full`. Undefined for all others.
 *
 * @param top see ownName
 */
export function ownSetting(key: string, value: unknown, top: readonly string[]): string | undefined {
  const plain = key.toLowerCase().replace(/[_-]/g, '');
  const text = isSettings(value) ? JSON.stringify(value) : String(value).toLowerCase();
  const found = settingsByValue.find(([keys, values]) => keys.includes(plain) && values.test(text))?.[2];
  return found !== undefined && top.includes(found.split('.')[0] ?? '') ? found : undefined;
}

const settingsByValue: readonly (readonly [keys: readonly string[], values: RegExp, setting: string])[] = [
  [
    ['loadin4bit', 'useqlora', 'qlora', 'quantization', 'quantize'],
    /^(true|4|nf4)$/,
    'fine_tune.method: qlora',
  ],
  [['loadin4bit', 'useqlora', 'qlora'], /^false$/, 'fine_tune.method: lora'],
  [['usepeft', 'uselora', 'lora', 'peft'], /^true$/, 'fine_tune.method: lora'],
  [['usepeft', 'uselora', 'lora', 'peft'], /^false$/, 'fine_tune.method: full'],
  [['fullfinetuning', 'fullfinetune', 'full'], /^true$/, 'fine_tune.method: full'],
  [['fullfinetuning', 'fullfinetune', 'full'], /^false$/, 'fine_tune.method: lora'],
  [['finetuningtype', 'finetunemethod', 'trainingtype', 'peftmethod'], /^lora$/, 'fine_tune.method: lora'],
  [['finetuningtype', 'finetunemethod', 'trainingtype', 'peftmethod'], /^qlora$/, 'fine_tune.method: qlora'],
  [['finetuningtype', 'finetunemethod', 'trainingtype'], /^full$/, 'fine_tune.method: full'],
  [
    ['thinking', 'chattemplatekwargs'],
    /^(true|\{"enable_thinking":true\})$/,
    'sampling.enable_thinking: true',
  ],
  [
    ['thinking', 'chattemplatekwargs'],
    /^(false|\{"enable_thinking":false\})$/,
    'sampling.enable_thinking: false',
  ],
];

/**
 * Our setting for a key of another program; undefined for a key that is not known. Keys are compared without `_`, `-` and case.
 *
 * @param top the keys of the config that is checked, which may be no experiment's
 */
export function ownName(key: string, top: readonly string[]): string | undefined {
  const found = otherNames.get(key.toLowerCase().replace(/[_-]/g, ''));
  return found !== undefined && top.includes(found.split('.')[0] ?? '') ? found : undefined;
}

const otherNames = new Map(
  Object.entries({
    [learningRate]: ['lr', 'learningrate'],
    'fine_tune.method': [
      'usepeft',
      'lora',
      'finetunemethod',
      'trainingtype',
      'finetuningtype',
      'loadin4bit',
      'loadin8bit',
    ],
    'fine_tune.num_train_epochs': ['epochs', 'numepochs', 'nepochs', 'trainepochs'],
    'fine_tune.per_device_train_batch_size': ['batchsize', 'bs', 'trainbatchsize', 'perdevicebatchsize'],
    'fine_tune.gradient_accumulation_steps': ['gradaccum', 'accumulationsteps', 'gradientaccumulation'],
    'fine_tune.lr_scheduler_type': ['scheduler', 'lrscheduler', 'schedulertype'],
    'fine_tune.max_length': ['maxseqlength', 'maxseqlen', 'cutofflen'],
    'fine_tune.lora_r': ['rank', 'lorarank', 'r'],
    'fine_tune.lora_alpha': ['alpha'],
    'fine_tune.lora_dropout': ['dropout'],
    'fine_tune.lora_target_modules': ['targetmodules', 'loratargets'],
    'model.model_name_or_path': [
      'modelname',
      'modelid',
      'basemodel',
      'modelpath',
      'pretrainedmodelnameorpath',
    ],
    'sampling.max_tokens': ['maxnewtokens', 'maxcompletiontokens', 'maxoutputtokens'],
    'sampling.temperature': ['temp'],
    'sampling.enable_thinking': ['thinking', 'chattemplatekwargs'],
    agents: ['numagents', 'nagents', 'n'],
    rounds: ['numrounds', 'nrounds', 'debaterounds', 'm'],
    iterations: ['numiterations', 'niterations', 'iters', 'l'],
    critic_weight: ['w'],
    'task.test_size': ['evalsize', 'heldoutsize', 'testquestions'],
    'task.train_size': ['trainquestions', 'numquestions'],
    'task.train_file': ['trainpath', 'trainfile', 'datasetfile'],
    'task.test_file': ['testpath', 'evalfile'],
  }).flatMap(([means, names]) => names.map((name) => [name, means] as const)),
);
