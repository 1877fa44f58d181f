// Worked solutions as LaTeX, for a document that loads `amsmath`.

import type { Block, Entry, Ledger, Matrix, Part, Term } from "./document.ts";

const ELLIPSES: Record<string, string> = {
  horizontal: "\\cdots",
  vertical: "\\vdots",
  diagonal: "\\ddots",
};
const SIGNS = { "⊙": "\\odot", "≈": "\\approx" };
// An empty row, drawn up: `\\[0.4em]` adds nothing below a tall matrix.
const SPACE = "& & \\\\[-0.8em]";
// The longest line of a ledger that fits on a phone.
const LINE_EM = 10;

export const toLatex = (blocks: readonly Block[]): string => blocks.map(renderBlock).join("\n\n");

function renderBlock(block: Block): string {
  switch (block.kind) {
    case "paragraph":
      return block.parts
        .map((part) => (typeof part === "string" ? part : `$${inline(part)}$`))
        .join("");
    case "heading":
      return `\\paragraph{${block.text}}`;
    case "grid":
      return block.cards
        .map((card) => [`\\paragraph{${card.title}}`, ...card.blocks.map(renderBlock)].join("\n"))
        .join("\n\n");
    case "display":
      return `\\[\n${matrixTex(block.matrix)}\n\\]`;
    case "ledger":
      return `\\[\n${ledgerTex(block)}\n\\]`;
  }
}

const inline = (part: Exclude<Part, string>): string =>
  part.kind === "entry" ? entryTex(part) : SIGNS[part.text];

/** `1.5e-7` becomes 1.5 · 10^{-7}. */
function numberTex(text: string): string {
  if (/^-?inf$/.test(text)) return text.replace("inf", "\\infty");
  const [mantissa, exponent] = text.split("e");
  return exponent === undefined ? text : `${mantissa} \\cdot 10^{${exponent}}`;
}

function entryTex(cell: Entry): string {
  switch (cell.mark) {
    case "padding":
      return `\\underline{${numberTex(cell.text)}}`;
    case "unread":
      return "\\cdot";
    case "ellipsis":
      return ELLIPSES[cell.text];
    case "plain":
      return numberTex(cell.text);
  }
}

function matrixTex({ rows }: Matrix): string {
  const body = rows.map((row) => row.map(entryTex).join(" & ")).join(" \\\\ ");
  // amsmath stops at ten columns in `bmatrix`; an array has no such limit.
  const columns = rows[0].length;
  if (columns > 10) {
    return `\\left[\\begin{array}{${"c".repeat(columns)}} ${body} \\end{array}\\right]`;
  }
  return `\\begin{bmatrix} ${body} \\end{bmatrix}`;
}

function ledgerTex(ledger: Ledger): string {
  const pieces = ledger.terms.map(piecesOf);
  const widths: number[] = [];
  for (const list of pieces) {
    for (const [i, { width }] of list.entries()) widths[i] = Math.max(widths[i] ?? 0, width);
  }
  const rows = ledger.terms.flatMap((term, i) =>
    termTex(
      term,
      pieces[i].map((piece) => piece.tex),
      widths,
    ),
  );
  const total = `& ${called("total", ledger.addsUp)} & ${numberTex(ledger.total.text)}`;
  return ["\\begin{array}{lrr}", ...rows, "\\hline", total, "\\end{array}"].join("\n");
}

function termTex(term: Term, pieces: string[], widths: number[]): string[] {
  const value = numberTex(term.value.text);
  if (!term.isSum) return [`& \\text{${term.label}} & ${value} \\\\`, SPACE];
  const tail = `& ${called("sum", term.addsUp)} & ${value} \\\\`;
  const lines = linesOf(pieces, widths);
  if (!lines.length) return [`\\text{${term.label}} ${tail}`, SPACE];
  return [
    `\\text{${term.label}} & & \\\\`,
    ...lines.slice(0, -1).flatMap((line) => [`${line} & & \\\\`, SPACE]),
    `${lines[lines.length - 1]} ${tail}`,
    SPACE,
  ];
}

const called = (name: string, exact: boolean): string =>
  exact ? `\\text{${name}}` : `\\text{${name}} \\approx`;

interface Piece {
  tex: string;
  /** In em. */
  width: number;
}

/** What stands left of a term's number, in order. */
function piecesOf(term: Term): Piece[] {
  const pieces = term.factors.map((factor, i) => ({
    tex: (i ? "\\odot " : "") + matrixTex(factor),
    width: widthOf(factor) + (i ? 1.2 : 0),
  }));
  if (!term.product) return pieces;
  const relation = term.productExact ? "=" : "\\approx";
  const product = {
    tex: `${relation} ${matrixTex(term.product)}`,
    width: widthOf(term.product) + 1.2,
  };
  return [...pieces, product];
}

const widthOf = ({ rows }: Matrix): number =>
  rows[0]
    .map((_, i) => 0.5 * Math.max(...rows.map((row) => Math.max(row[i].text.trim().length, 1))))
    .reduce((a, b) => a + b, 0) + rows[0].length;

const total = (widths: readonly number[]): number => widths.reduce((a, b) => a + b, 0);

/** Fill lines with pieces; all terms of a ledger break at the same places. */
function linesOf(pieces: string[], widths: number[]): string[] {
  if (total(widths) <= LINE_EM || pieces.length < 2) {
    return pieces.length ? [pieces.join(" ")] : [];
  }
  // The first factor has no sign before it; a gap of a sign's width keeps the matrices in line.
  const factors = [`\\phantom{\\odot} ${pieces[0]}`, ...pieces.slice(1, -1)];
  const product = pieces[pieces.length - 1];
  return total(widths.slice(0, -1)) <= LINE_EM ? [factors.join(" "), product] : [...factors, product];
}
