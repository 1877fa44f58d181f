// A whole stack at a glance: the cost of each layer, what its cells see, and where it breaks.

import { CheckError } from "./errors.ts";
import { checkLayer, cost, LayerError, walk } from "./layers.ts";
import type { Layer, LayerCost, Shape } from "./layers.ts";
import { receptiveFields } from "./receptive_field.ts";
import type { ReceptiveField } from "./receptive_field.ts";

export interface Summary {
  /** The layers that can be computed: all, or those before the one that breaks. */
  costs: LayerCost[];
  /** One a layer, as long as its cells see a window alike. */
  fields: ReceptiveField[];
  /** Why the fields end early, where that is an error. */
  fieldError: string | null;
  /** The first layer that cannot be computed. */
  broken: { place: number; error: CheckError; reason: string } | null;
}

export function summarise(layers: readonly Layer[], input: Shape): Summary {
  const broken = firstBroken(layers, input);
  const sound = layers.slice(0, broken?.place ?? layers.length);
  const costs = broken?.place === -1 ? [] : cost(sound, input);
  return { costs, ...fieldsOf(sound), broken };
}

function firstBroken(layers: readonly Layer[], input: Shape): Summary["broken"] {
  for (const [place, layer] of layers.entries()) {
    const error = caught(() => checkLayer(layer));
    if (error) return { place, error, reason: error.message };
    const found = caught(() => walk(layers.slice(0, place + 1), input));
    if (found instanceof LayerError) return { place: found.place, error: found, reason: found.reason };
    if (found) return { place: -1, error: found, reason: found.message };
  }
  return null;
}

function fieldsOf(layers: readonly Layer[]): Pick<Summary, "fields" | "fieldError"> {
  let fields: ReceptiveField[] = [];
  const error = caught(() => {
    fields = receptiveFields(layers);
  });
  return { fields, fieldError: error?.message ?? null };
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
