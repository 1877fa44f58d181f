// A convolution, derived cell by cell: the data of cnnref.worked.convolution. Indices count from 0.

import { fill, range, sizeOf, sum, zeros } from "./arrays.ts";
import type { Matrix, Volume } from "./arrays.ts";
import { asInt, asPadding, asPair, AXES, outputLength, reachOf } from "./checks.ts";
import type { Pair, Sides } from "./checks.ts";
import { valueError } from "./errors.ts";
import { checkPadding, pad2d, sourceOf } from "./padding.ts";
import type { PaddingMode } from "./padding.ts";

/** The arguments as a caller writes them: numbers or pairs; padding also by name or per side. */
export interface ConvolutionSettings {
  input: Volume;
  /** Filters, (O, C / groups, kH, kW). */
  weight: Volume[];
  bias: number[] | null;
  stride: unknown;
  padding: unknown;
  dilation: unknown;
  groups: unknown;
  padding_mode: PaddingMode;
}

/** What one channel contributes to one output cell. */
export interface ChannelStep {
  channel: number;
  /** The whole window, with the cells between the taps of a dilated filter. */
  window: Matrix;
  padded: boolean[][];
  read: boolean[][];
  weight: Matrix;
  products: Matrix;
  sum: number;
}

export interface OutputCell {
  filter: number;
  row: number;
  column: number;
  channels: ChannelStep[];
  bias: number | null;
  total: number;
}

/** An output cell that reads an input pixel, and the tap of the filter it reads it with. */
export interface Reader {
  filter: number;
  row: number;
  column: number;
  tap: Pair;
  weight: number;
}

export class Convolution {
  readonly input: Volume;
  readonly weight: Volume[];
  readonly bias: number[] | null;
  readonly stride: Pair;
  readonly padding: Sides;
  readonly dilation: Pair;
  readonly groups: number;
  readonly mode: PaddingMode;
  readonly kernel: Pair;
  readonly outputSize: Pair;
  /** Whether all numbers are whole. cnnref then computes in integers and shows them exactly. */
  readonly whole: boolean;
  #padded: Volume | null = null;
  #output: Volume | null = null;

  /** Check the settings only; their cost is known before anything is computed. */
  constructor(settings: ConvolutionSettings) {
    const { input, weight, bias } = settings;
    const [inChannels, outChannels, groupChannels] = [input.length, weight.length, weight[0].length];
    this.kernel = sizeOf(weight[0][0]);
    this.stride = asPair(settings.stride, "stride", 1);
    this.dilation = asPair(settings.dilation, "dilation", 1);
    this.padding = asPadding(settings.padding, this.kernel, this.stride, this.dilation);
    this.groups = asInt(settings.groups, "groups", 1);
    for (const [count, what] of [
      [inChannels, "input channels"],
      [outChannels, "filters"],
    ] as const) {
      if (count % this.groups) {
        throw valueError(
          "groups",
          `\`groups\` (${this.groups}) must divide the number of ${what} (${count})`,
        );
      }
    }
    if (groupChannels !== inChannels / this.groups) {
      throw valueError(
        "weight",
        `\`weight\` has ${groupChannels} channels per filter, but needs ` +
          `${inChannels / this.groups}: \`input\` has ${inChannels} channels in ${this.groups} ` +
          (this.groups === 1 ? "group" : "groups"),
      );
    }
    const size = sizeOf(input[0]);
    const [height, width] = ([0, 1] as const).map((axis) =>
      outputLength(
        size[axis],
        this.kernel[axis],
        this.stride[axis],
        this.padding[axis],
        this.dilation[axis],
        AXES[axis],
      ),
    );
    this.outputSize = [height, width];
    if (bias !== null && bias.length !== outChannels) {
      throw valueError(
        "bias",
        `\`bias\` has ${bias.length} numbers, but must have ${outChannels}, one per filter`,
      );
    }
    this.mode = settings.padding_mode;
    checkPadding(size, this.padding, this.mode);
    this.input = input;
    this.weight = weight;
    this.bias = bias;
    this.whole = [input.flat(2), weight.flat(3), bias ?? []].every((numbers) =>
      numbers.every(Number.isInteger),
    );
  }

  /** Number of filters, output height, output width. */
  get shape(): [number, number, number] {
    return [this.weight.length, ...this.outputSize];
  }

  /** The input channels that a filter reads: those of its group. */
  channelsOf(filter: number): number[] {
    const count = this.weight[0].length;
    const group = Math.floor(filter / (this.weight.length / this.groups));
    return range(count).map((channel) => group * count + channel);
  }

  isPadding(row: number, column: number): boolean {
    const [height, width] = sizeOf(this.input[0]);
    const [y, x] = [row - this.padding[0][0], column - this.padding[1][0]];
    return y < 0 || y >= height || x < 0 || x >= width;
  }

  get inputSize(): Pair {
    return sizeOf(this.input[0]);
  }

  get padded(): Volume {
    return (this.#padded ??= pad2d(this.input, this.padding, this.mode));
  }

  /** All totals, summed in the order of `cell`, so that both agree to the last bit. */
  get output(): Volume {
    return (this.#output ??= range(this.weight.length).map((filter) => this.#channel(filter)));
  }

  #channel(filter: number): Matrix {
    const [rows, columns] = this.outputSize;
    const [kernelHeight, kernelWidth] = this.kernel;
    const output = zeros(rows, columns);
    for (const [c, channel] of this.channelsOf(filter).entries()) {
      const [image, weight] = [this.padded[channel], this.weight[filter][c]];
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          let total = 0;
          for (let u = 0; u < kernelHeight; u++) {
            const line = image[i * this.stride[0] + u * this.dilation[0]];
            for (let v = 0; v < kernelWidth; v++) {
              total += weight[u][v] * line[j * this.stride[1] + v * this.dilation[1]];
            }
          }
          output[i][j] += total;
        }
      }
    }
    if (this.bias === null) return output;
    const bias = this.bias[filter];
    return output.map((row) => row.map((value) => value + bias));
  }

  cell(filter: number, row: number, column: number): OutputCell {
    const [top, left] = [row * this.stride[0], column * this.stride[1]];
    const [down, right] = this.dilation;
    const [height, width] = [reachOf(this.kernel[0], down), reachOf(this.kernel[1], right)];
    const padded = fill(height, width, (u, v) => this.isPadding(top + u, left + v));
    const read = fill(height, width, (u, v) => u % down === 0 && v % right === 0);
    const channels = this.channelsOf(filter).map((channel, c): ChannelStep => {
      const image = this.padded[channel];
      const weight = this.weight[filter][c];
      const products = weight.map((line, u) =>
        line.map((value, v) => image[top + u * down][left + v * right] * value),
      );
      return {
        channel,
        window: fill(height, width, (u, v) => image[top + u][left + v]),
        padded,
        read,
        weight,
        products,
        sum: sum(products.flat()),
      };
    });
    const bias = this.bias === null ? null : this.bias[filter];
    const total = sum(channels.map((step) => step.sum)) + (bias ?? 0);
    return { filter, row, column, channels, bias, total };
  }

  /** The outputs that read an input pixel, the transposed view. Its copies in the padding count too. */
  readers(channel: number, y: number, x: number): Reader[] {
    const [height, width] = sizeOf(this.input[0]);
    const readers: Reader[] = [];
    for (const filter of range(this.weight.length)) {
      const c = this.channelsOf(filter).indexOf(channel);
      if (c < 0) continue;
      for (const [row, u] of this.#taps(0, y, height)) {
        for (const [column, v] of this.#taps(1, x, width)) {
          readers.push({ filter, row, column, tap: [u, v], weight: this.weight[filter][c][u][v] });
        }
      }
    }
    return readers;
  }

  /** Which window reads a pixel with which tap, along one axis. */
  #taps(axis: 0 | 1, pixel: number, size: number): Pair[] {
    const found: Pair[] = [];
    for (const window of range(this.outputSize[axis])) {
      for (const tap of range(this.kernel[axis])) {
        const place = window * this.stride[axis] + tap * this.dilation[axis] - this.padding[axis][0];
        if (sourceOf(place, size, this.mode) === pixel) found.push([window, tap]);
      }
    }
    return found;
  }

  /** Which rows (axis 0) or columns of the padded image no window reads. */
  unread(axis: 0 | 1): boolean[] {
    const unread = Array<boolean>(sizeOf(this.padded[0])[axis]).fill(true);
    for (const window of range(this.outputSize[axis])) {
      for (const tap of range(this.kernel[axis])) {
        unread[window * this.stride[axis] + tap * this.dilation[axis]] = false;
      }
    }
    return unread;
  }

  get hasUnread(): boolean {
    return this.unread(0).includes(true) || this.unread(1).includes(true);
  }
}
