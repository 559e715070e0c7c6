/** How is every symbol written in one spelling? Unicode characters and LaTeX synonyms become the command that the grader knows. */

/** Writes Unicode mathematics (`√`, `²`, `½`, `≤`, `π`) as LaTeX, and other compatibility characters in their NFKC form. */
export function unicodeToLatex(text: string): string {
  const latex = text
    .replace(/[\u200b-\u200f\u2060\ufeff\u00ad]/g, '')
    .replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+/g, (run) => `^{${run.replace(/./g, (char) => SUPERSCRIPT[char] ?? '')}}`)
    .replace(/[₀₁₂₃₄₅₆₇₈₉]+/g, (run) => `_{${run.normalize('NFKC')}}`)
    .replace(/[√∛∜]\s*\(/g, (root) => `${ROOT[root.charAt(0)] ?? ''}(`)
    .replace(
      /([√∛∜])\s*([\d.]+|\p{L})/gu,
      (_, root: string, radicand: string) => `${ROOT[root] ?? ''}{${radicand}}`,
    )
    .replace(/\P{ASCII}/gu, (char) => SYMBOL[char] ?? char);
  return latex
    .normalize('NFKC')
    .replaceAll('⁄', '/')
    .replace(/[\u2018\u2019\u2032]/g, "'");
}

/** Replaces commands that mean the same (`\dfrac`, `\leq`, `\lt`, `\varnothing`, `\ldots`, …) by one of them. */
export function canonicalCommands(text: string): string {
  return text.replace(/\\([a-zA-Z]+)/g, (command, name: string) => SYNONYM.get(name) ?? command);
}

const SUPERSCRIPT: Readonly<Record<string, string>> = {
  '⁰': '0',
  '¹': '1',
  '²': '2',
  '³': '3',
  '⁴': '4',
  '⁵': '5',
  '⁶': '6',
  '⁷': '7',
  '⁸': '8',
  '⁹': '9',
  '⁺': '+',
  '⁻': '-',
  ⁿ: 'n',
};

const ROOT: Readonly<Record<string, string>> = { '√': '\\sqrt', '∛': '\\sqrt[3]', '∜': '\\sqrt[4]' };

const SYMBOL: Readonly<Record<string, string>> = {
  '−': '-',
  '–': '-',
  '—': '-',
  '‒': '-',
  '‐': '-',
  '‑': '-',
  '﹣': '-',
  '×': '\\times ',
  '·': '\\cdot ',
  '⋅': '\\cdot ',
  '∙': '\\cdot ',
  '÷': '/',
  '∕': '/',
  '∗': '*',
  '∞': '\\infty ',
  '≤': '\\le ',
  '⩽': '\\le ',
  '≥': '\\ge ',
  '⩾': '\\ge ',
  '≠': '\\ne ',
  '≈': '\\approx ',
  '∈': '\\in ',
  '∪': '\\cup ',
  '∩': '\\cap ',
  '∅': '\\emptyset ',
  '±': '\\pm ',
  '∓': '\\mp ',
  '°': '^{\\circ}',
  '√': '\\sqrt',
  '∠': '\\angle ',
  '½': '\\frac{1}{2}',
  '⅓': '\\frac{1}{3}',
  '⅔': '\\frac{2}{3}',
  '¼': '\\frac{1}{4}',
  '¾': '\\frac{3}{4}',
  '⅕': '\\frac{1}{5}',
  '⅖': '\\frac{2}{5}',
  '⅗': '\\frac{3}{5}',
  '⅘': '\\frac{4}{5}',
  '⅙': '\\frac{1}{6}',
  '⅚': '\\frac{5}{6}',
  '⅛': '\\frac{1}{8}',
  '⅜': '\\frac{3}{8}',
  '⅝': '\\frac{5}{8}',
  '⅞': '\\frac{7}{8}',
  ℝ: '\\mathbb{R}',
  ℤ: '\\mathbb{Z}',
  ℕ: '\\mathbb{N}',
  ℚ: '\\mathbb{Q}',
  ℂ: '\\mathbb{C}',
  '…': '\\dots ',
  '⟨': '\\langle ',
  '⟩': '\\rangle ',
  α: '\\alpha ',
  β: '\\beta ',
  γ: '\\gamma ',
  δ: '\\delta ',
  ε: '\\epsilon ',
  θ: '\\theta ',
  λ: '\\lambda ',
  μ: '\\mu ',
  π: '\\pi ',
  ρ: '\\rho ',
  σ: '\\sigma ',
  τ: '\\tau ',
  φ: '\\phi ',
  ϕ: '\\phi ',
  χ: '\\chi ',
  ψ: '\\psi ',
  ω: '\\omega ',
  Δ: '\\Delta ',
  Ω: '\\Omega ',
  '€': '\\$ ',
  '£': '\\$ ',
  '¥': '\\$ ',
};

const SYNONYM: ReadonlyMap<string, string> = new Map(
  Object.entries({
    dfrac: '\\frac',
    tfrac: '\\frac',
    cfrac: '\\frac',
    leq: '\\le',
    leqslant: '\\le',
    geq: '\\ge',
    geqslant: '\\ge',
    neq: '\\ne',
    lt: '<',
    gt: '>',
    varnothing: '\\emptyset',
    lbrace: '\\{',
    rbrace: '\\}',
    lbrack: '[',
    rbrack: ']',
    ast: '*',
    dots: '\\dots',
    ldots: '\\dots',
    cdots: '\\dots',
    mid: '|',
    vert: '|',
    lvert: '|',
    rvert: '|',
    land: '\\text{ and }',
    lor: '\\text{ or }',
    wedge: '\\text{ and }',
    vee: '\\text{ or }',
    degree: '^{\\circ}',
    degrees: '^{\\circ}',
    div: '/',
    bmod: '\\bmod',
    infin: '\\infty',
    infinity: '\\infty',
    Pi: '\\Pi',
    to: '\\to',
    rightarrow: '\\to',
    lg: '\\log_{10}',
    varphi: '\\phi',
    colon: ':',
    iff: '\\iff',
    displaystyle: '',
    textstyle: '',
    limits: '',
    nolimits: '',
    arcsec: '\\arcsec',
    tg: '\\tan',
    ctg: '\\cot',
  }),
);
