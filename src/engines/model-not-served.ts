/** The server answers, but not for the experiment's base model. */
export class ModelNotServed extends Error {
  override name = 'ModelNotServed' as const;
  readonly model: string;
  readonly served: readonly string[];

  constructor(url: string, model: string, served: readonly string[]) {
    const shown = served.slice(0, 10).join(', ') + (served.length > 10 ? ', …' : '');
    super(
      `${url} does not serve ${model}. It serves: ${shown || 'nothing'}. Set model.model_name_or_path to one of these.`,
    );
    this.model = model;
    this.served = served;
  }
}
