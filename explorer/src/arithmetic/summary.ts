// A whole stack at a glance: the cost of each layer, its receptive field, and where the stack breaks.

import { exact } from "./budget.ts";
import { CheckError } from "./errors.ts";
import { asShape, checkLayer, cost, COUNTS, LayerError } from "./layers.ts";
import type { Layer, LayerCost, Shape } from "./layers.ts";
import { endOf, receptiveFields } from "./receptive_field.ts";
import type { ReceptiveField } from "./receptive_field.ts";

type Count = keyof typeof COUNTS;
export type Totals = Record<Count, number>;

export interface Summary {
  /** The layers that can be computed: all of them, or those before the one that breaks. */
  costs: LayerCost[];
  /** The sums over these layers. */
  totals: Totals;
  /** One per layer, up to the first that reads the whole map. */
  fields: ReceptiveField[];
  /** Why the fields end early, where that is an error or inside a block. */
  fieldError: string | null;
  /** The first layer that cannot be computed; the input has the place -1. */
  broken: { place: number; error: CheckError; reason: string } | null;
}

export function summarise(layers: readonly Layer[], input: Shape): Summary {
  const costs: LayerCost[] = [];
  let totals: Totals = { parameters: 0, macs: 0, other_ops: 0, activation_bytes: 0 };
  let place = -1;
  const error = caught(() => {
    let shape = asShape(input);
    for (const layer of layers) {
      place += 1;
      checkLayer(layer);
      const [row] = cost([layer], shape);
      totals = plus(totals, row);
      costs.push(row);
      shape = row.output;
    }
  });
  const reason = error instanceof LayerError ? error.reason : error?.message;
  const broken = error && { place, error, reason: reason ?? "" };
  return { costs, totals, ...fieldsOf(layers.slice(0, costs.length)), broken };
}

const plus = (totals: Totals, row: LayerCost): Totals => {
  const sum = (key: Count): number =>
    exact(totals[key] + row[key], `${COUNTS[key]} of all layers`, "input_shape");
  return {
    parameters: sum("parameters"),
    macs: sum("macs"),
    other_ops: sum("other_ops"),
    activation_bytes: sum("activation_bytes"),
  };
};

function fieldsOf(layers: readonly Layer[]): Pick<Summary, "fields" | "fieldError"> {
  const fields: ReceptiveField[] = [];
  const error = caught(() => {
    for (const field of receptiveFields(layers)) fields.push(field);
  });
  const next = layers[fields.length];
  const insideBlock = next?.kind === "branches" && !error ? endOf(next) : "";
  return { fields, fieldError: error?.message ?? (insideBlock || null) };
}

function caught(act: () => void): CheckError | null {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof CheckError) return error;
    throw error;
  }
}
