// Numbers as a worked solution shows them: short, and honest about rounding; cnnref/worked/numbers.py.

export const DECIMALS = 4;
// Outside these a number that is not whole is written with an exponent.
const SMALLEST = 1e-3;
const LARGEST = 1e9;

export interface Shown {
  text: string;
  /** True when the text is not exactly the number. */
  rounded: boolean;
}

/** Write a number with at most four decimals; `whole` says that it is an integer to cnnref. */
export function show(value: number, whole: boolean): Shown {
  if (value === 0) return { text: "0", rounded: false };
  if (!Number.isFinite(value)) {
    return { text: Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf", rounded: false };
  }
  if (whole) return { text: String(value), rounded: false };
  const size = Math.abs(value);
  const text = size >= SMALLEST && size < LARGEST ? trim(fixed(value)) : scientific(value);
  return { text, rounded: !equal(decimal(text), decimal(String(value))) };
}

const trim = (text: string): string =>
  text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;

function scientific(value: number): string {
  const [mantissa, exponent] = halfToEven(
    value.toExponential(DECIMALS),
    /\.\d{4}50*e/.test(value.toExponential(60)),
  ).split("e");
  return `${trim(mantissa)}e${Number(exponent)}`;
}

const fixed = (value: number): string =>
  halfToEven(value.toFixed(DECIMALS), /\.\d{4}50*$/.test(value.toFixed(60)));

/** JavaScript rounds a tie away from zero, Python to the even digit: take the odd digit back. */
function halfToEven(rounded: string, tie: boolean): string {
  if (!tie) return rounded;
  return rounded.replace(/[13579](?=$|e)/, (digit) => String(Number(digit) - 1));
}

// Exact decimals, for "do the numbers on the paper add up?": digits times a power of ten.

interface Decimal {
  digits: bigint;
  exponent: number;
}

function decimal(text: string): Decimal {
  const [mantissa, exponent = "0"] = text.split("e");
  const [whole, places = ""] = mantissa.split(".");
  return { digits: BigInt(whole + places), exponent: Number(exponent) - places.length };
}

/** The digits at a given exponent, which must not be above the number's own. */
const digitsAt = (value: Decimal, exponent: number): bigint =>
  value.digits * 10n ** BigInt(value.exponent - exponent);

function equal(a: Decimal, b: Decimal): boolean {
  const exponent = Math.min(a.exponent, b.exponent);
  return digitsAt(a, exponent) === digitsAt(b, exponent);
}

const ONE: Decimal = { digits: 1n, exponent: 0 };

function plus(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent);
  return { digits: digitsAt(a, exponent) + digitsAt(b, exponent), exponent };
}

const times = (a: Decimal, b: Decimal): Decimal => ({
  digits: a.digits * b.digits,
  exponent: a.exponent + b.exponent,
});

/** Whether the shown terms add up to the shown total, exactly. */
export function addsUp(terms: readonly Shown[], total: Shown): boolean {
  const sum = terms.map(({ text }) => decimal(text)).reduce(plus, { digits: 0n, exponent: 0 });
  return equal(sum, decimal(total.text));
}

/** Whether the product of the shown factors is the shown product, exactly. */
export function multipliesTo(factors: readonly Shown[], product: Shown): boolean {
  const result = factors.map(({ text }) => decimal(text)).reduce(times, ONE);
  return equal(result, decimal(product.text));
}

/** Whether the shown total divided by a whole number is the shown result, exactly. */
export const dividesTo = (total: Shown, divisor: number, result: Shown): boolean =>
  equal(decimal(total.text), times(decimal(result.text), decimal(String(divisor))));
