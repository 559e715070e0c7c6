/** A page's rules for its colours: what stands in `:root`, also within a question for dark mode. */
const rootRules = /@media[^{]*\{\s*:root\s*\{[^}]*\}\s*\}|:root\s*\{[^}]*\}/g;

/**
 * A chart as a picture of its own, as Markdown shows it: with the colours that a report's style sheet would give it, for light and dark.
 *
 * @param css the style sheet
 */
export function standaloneSvg(svg: string, css: string): string {
  const colours = (css.match(rootRules) ?? []).join('\n');
  const own = 'svg { background: var(--card); font-family: system-ui, "Liberation Sans", sans-serif; }';
  return svg.replace(/^<svg[^>]*>/, (opening) => `${opening}<style>${colours}\n${own}</style>`);
}
