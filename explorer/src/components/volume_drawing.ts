// A drawing of the volumes in a stack: one box per volume, its sides on a logarithmic scale.

import { html, svg } from "lit";
import type { SVGTemplateResult, TemplateResult } from "lit";

import type { Shape } from "../arithmetic/layers.ts";

const HEIGHT = 120;
const GAP = 14;
/** About as wide as a digit of the labels. */
const LETTER = 7;

/** Small sizes stay visible beside large ones. */
const scaled = (size: number, unit: number): number => 3 + unit * Math.log2(size);

export function drawing(shapes: readonly Shape[]): TemplateResult {
  let x = 2;
  const boxes = distinct(shapes).map((shape) => {
    const box = boxOf(shape);
    const left = x;
    const label = shape.join("×");
    x += Math.max(box.width + box.slant, label.length * LETTER) + GAP;
    return svg`<g transform="translate(${left} 0)">${faces(box)}
      <text x="0" y=${HEIGHT + 12}>${label}</text></g>`;
  });
  const words = shapes.map((shape) => shape.join("×")).join(", ");
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Drawing of the volumes">
    <svg
      class="volumes"
      role="img"
      aria-label="Volumes from the input on: ${words}"
      width=${x}
      height=${HEIGHT + 18}
      viewBox="0 0 ${x} ${HEIGHT + 18}"
    >
      ${boxes}
    </svg>
  </div>`;
}

/** Layers that keep the shape are drawn once. */
const distinct = (shapes: readonly Shape[]): Shape[] =>
  shapes.filter((shape, i) => i === 0 || shape.join() !== shapes[i - 1].join());

interface Box {
  width: number;
  height: number;
  /** How far the side goes back, to the right and up. */
  slant: number;
}

function boxOf(shape: Shape): Box {
  if (shape.length === 1) return { width: 8, height: Math.min(scaled(shape[0], 9), HEIGHT), slant: 0 };
  const [channels, rows, columns] = shape;
  return {
    width: scaled(channels, 5),
    height: Math.min(scaled(rows, 9), HEIGHT - 30),
    slant: Math.min(scaled(columns, 3), 28),
  };
}

function faces({ width, height, slant }: Box): SVGTemplateResult {
  const top = HEIGHT - height;
  const front = svg`<rect x="0" y=${top} width=${width} height=${height}></rect>`;
  if (!slant) return front;
  const lid = `M0 ${top} l${slant} ${-slant} h${width} l${-slant} ${slant} z`;
  const side = `M${width} ${top} l${slant} ${-slant} v${height} l${-slant} ${slant} z`;
  return svg`${front}<path class="lid" d=${lid}></path><path class="side" d=${side}></path>`;
}
