/** Element types, named as safetensors names them; the codes are those of gust_codes.h. */

export const dtypes = {
  F64: { code: 0, size: 8 },
  F32: { code: 1, size: 4 },
  F16: { code: 2, size: 2 },
  BF16: { code: 3, size: 2 },
  I64: { code: 4, size: 8 },
  I32: { code: 5, size: 4 },
  I16: { code: 6, size: 2 },
  I8: { code: 7, size: 1 },
  U64: { code: 8, size: 8 },
  U32: { code: 9, size: 4 },
  U16: { code: 10, size: 2 },
  U8: { code: 11, size: 1 },
  BOOL: { code: 12, size: 1 },
} as const;

export type DType = keyof typeof dtypes;

/** The typed array that shows elements of a dtype; half floats appear as their bits. */
export interface TypedArrayOf {
  F64: Float64Array;
  F32: Float32Array;
  F16: Uint16Array;
  BF16: Uint16Array;
  I64: BigInt64Array;
  I32: Int32Array;
  I16: Int16Array;
  I8: Int8Array;
  U64: BigUint64Array;
  U32: Uint32Array;
  U16: Uint16Array;
  U8: Uint8Array;
  BOOL: Uint8Array;
}
export type TypedArray = TypedArrayOf[DType];

const constructors = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

/** A typed array over `buffer`, `length` elements from byte `offset`. */
export function typedArray<D extends DType>(
  dtype: D,
  buffer: ArrayBuffer,
  offset = 0,
  length?: number,
): TypedArrayOf[D] {
  return new constructors[dtype](buffer, offset, length) as TypedArrayOf[D];
}

/** The dtype whose elements a typed array holds (Uint8Array is U8, Uint16Array is U16). */
export function dtypeOf(array: TypedArray): DType {
  if (array instanceof Float64Array) return "F64";
  if (array instanceof Float32Array) return "F32";
  if (array instanceof BigInt64Array) return "I64";
  if (array instanceof Int32Array) return "I32";
  if (array instanceof Int16Array) return "I16";
  if (array instanceof Int8Array) return "I8";
  if (array instanceof BigUint64Array) return "U64";
  if (array instanceof Uint32Array) return "U32";
  if (array instanceof Uint16Array) return "U16";
  return "U8";
}
