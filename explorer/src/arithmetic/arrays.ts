// Small helpers for arrays of arrays. A volume is (channels, rows, columns).

export type Matrix = number[][];
export type Volume = Matrix[];

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export const fill = <T>(rows: number, columns: number, value: (row: number, column: number) => T) =>
  range(rows).map((row) => range(columns).map((column) => value(row, column)));

export const zeros = (rows: number, columns: number): Matrix => fill(rows, columns, () => 0);

export const sizeOf = (matrix: readonly (readonly unknown[])[]): [number, number] => [
  matrix.length,
  matrix[0]?.length ?? 0,
];

/** Add one number after the other, as on paper. */
export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
