/** Errors that tests look into. */
import { GustError } from "../../core/errors.ts";

/** The error of a body. */
export function caught(body: () => unknown): GustError {
  try {
    body();
  } catch (error) {
    if (error instanceof GustError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
