// Worked solutions as plain text: padding cells carry a star, columns are aligned.

import { hasMark } from "./document.ts";
import type { Block, Entry, Ledger, Matrix, Part, Term } from "./document.ts";

const ELLIPSES: Record<string, string> = { horizontal: "⋯", vertical: "⋮", diagonal: "⋱" };
const INDENT = "  ";
const GAP = "   ";

export const toText = (blocks: readonly Block[]): string => blocks.map(renderBlock).join("\n\n");

function renderBlock(block: Block): string {
  switch (block.kind) {
    case "paragraph":
      return block.parts.map(inline).join("");
    case "heading":
      return block.text;
    case "grid":
      return block.cards
        .map((card) => [card.title, ...card.blocks.map(renderBlock)].join("\n\n"))
        .join("\n\n");
    case "display":
      return indented(matrixLines(block.matrix));
    case "ledger":
      return ledgerText(block);
  }
}

function inline(part: Part): string {
  if (typeof part === "string") return part;
  return part.kind === "entry" ? entryText(part).trim() : part.text;
}

const indented = (lines: readonly string[]): string =>
  lines.map((line) => `${INDENT}${line}`.trimEnd()).join("\n");

function entryText(cell: Entry): string {
  switch (cell.mark) {
    case "padding":
      return `${cell.text}*`;
    case "unread":
      return "· ";
    case "ellipsis":
      return `${ELLIPSES[cell.text]} `;
    case "plain":
      return `${cell.text} `;
  }
}

function matrixLines(matrix: Matrix): string[] {
  // Every entry ends in a star or a space, so that the digits are aligned.
  const starred = hasMark([matrix], "padding");
  const cells = matrix.rows.map((row) =>
    row.map((cell) => (starred ? entryText(cell) : entryText(cell).slice(0, -1))),
  );
  const widths = cells[0].map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  const gap = starred ? " " : "  ";
  return cells.map((row) => `[ ${row.map((cell, i) => cell.padStart(widths[i])).join(gap)} ]`);
}

/** Put matrices of one height side by side, each with a sign before its middle row. */
function beside(blocks: readonly (readonly [string, string[]])[]): string[] {
  const middle = Math.floor(blocks[0][1].length / 2);
  return blocks[0][1].map((_, i) =>
    blocks
      .map(([sign, lines]) => (sign ? (i === middle ? ` ${sign} ` : "   ") : "") + lines[i])
      .join(""),
  );
}

function ledgerText(ledger: Ledger): string {
  // Each line is (left, name, number); the three columns are aligned over the whole ledger.
  const lines = ledger.terms.flatMap((term) => [...termLines(term), ["", "", ""]]);
  const total = ["", called("total", ledger.addsUp), ledger.total.text];
  const [left, names, numbers] = [0, 1, 2].map((i) =>
    Math.max(...[...lines, total].map((line) => line[i].length)),
  );
  const row = ([a, b, c]: string[]) =>
    `${a.padEnd(left)}${GAP}${b.padEnd(names)}${GAP}${c.padStart(numbers)}`;
  const rule = `${"".padEnd(left)}${GAP}${"-".repeat(names + GAP.length + numbers)}`;
  return indented([...lines.slice(0, -1).map(row), rule, row(total)]);
}

function termLines(term: Term): string[][] {
  if (!term.isSum) return [["", term.label, term.value.text]];
  const name = called("sum", term.addsUp);
  if (!term.factors.length) return [[term.label, name, term.value.text]];
  const blocks = term.factors.map((factor, i) => [i ? "⊙" : "", matrixLines(factor)] as const);
  const product =
    term.product && ([term.productExact ? "=" : "≈", matrixLines(term.product)] as const);
  const lines = beside(product ? [...blocks, product] : blocks);
  const middle = Math.floor(lines.length / 2);
  return [
    [term.label, "", ""],
    ...lines.map((line, i) => (i === middle ? [line, name, term.value.text] : [line, "", ""])),
  ];
}

const called = (name: string, exact: boolean): string => (exact ? name : `${name} ≈`);
