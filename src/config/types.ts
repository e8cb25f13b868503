import { z } from 'zod';
import { Address, type Family, quote } from '../net/address.ts';
import { parseAsn } from '../net/asn.ts';
import { Prefix } from '../net/prefix.ts';

/**
 * A value as a configuration may write it, text in a flag or a variable, whatever YAML made of it in a file, and read
 * by `parse`, whose error message becomes the setting's.
 */
function read<T>(parse: (value: string | number | boolean) => T): z.ZodType<T> {
  return z
    .union([z.string(), z.number(), z.boolean()], 'one value is expected')
    .transform((value, context) => {
      try {
        return parse(value);
      } catch (error) {
        context.addIssue({
          code: 'custom',
          message: (error as { what?: string }).what ?? (error as Error).message,
        });
        return z.NEVER;
      }
    });
}

export const text = z.string('a text is expected').min(1, 'it is empty');

export function address(family?: Family): z.ZodType<string> {
  return read((value) => {
    const parsed = Address.parse(String(value));
    if (family !== undefined && parsed.family !== family) {
      throw new Error(`${quote(value)} is not an IPv${family} address`);
    }
    return parsed.toString();
  });
}

export const prefix = read((value) => Prefix.parse(String(value)).toString());
export const asn = read((value) => parseAsn(typeof value === 'boolean' ? String(value) : value) as number);

/** A text that `parse` accepts. */
export function parsed(parse: (value: string) => string): z.ZodType<string> {
  return read((value) => parse(String(value)));
}

/** A whole number in plain digits: JavaScript would take '', '0x10' and true for numbers as well. */
export function whole(least: number, most: number): z.ZodType<number> {
  return read((value) => {
    const number = /^\d{1,15}$/.test(String(value)) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new Error(`${quote(value)} is not a whole number from ${least} to ${most}`);
  });
}

export const yesOrNo = read((value) => {
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw new Error(`${quote(value)} is neither true nor false`);
});
