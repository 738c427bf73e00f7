/** --device: which native library a command opens, and what is said of it. */
import { existsSync } from "node:fs";
import process from "node:process";
import { GustError } from "../core/errors.ts";
import { setFast } from "../ffi/engine.ts";
import { describeNative, type Device, hasLibrary, NativeError, openNative } from "../ffi/native.ts";
import type { CommonOptions } from "./_options.ts";

/** The device that a --device names: null for auto. */
function parse(device: string): Device | null {
  if (device === "auto") return null;
  if (device === "cpu") return { kind: "cpu", index: 0 };
  return { kind: "cuda", index: Number(device.split(":")[1] ?? 0) };
}

/** What a command says of the device: `must` is for everybody, the rest for whoever wants to know. */
export interface DeviceTalk {
  readonly line: string;
  readonly must: boolean;
}

/** Whether it is worth the milliseconds that the CUDA library takes to find out: there is a driver, or it is named. */
function mayHaveGpu(): boolean {
  return process.env["GUST_CUDA_LIBRARY"] !== undefined || ["/dev/nvidiactl", "/dev/dxg"].some(existsSync);
}

/** The library is open on a GPU. */
function onGpu(fast: boolean): DeviceTalk {
  setFast(fast);
  return { line: `device: ${describeNative().gpu}`, must: false };
}

/**
 * Open the native library of a device.
 *
 * @param usesDevice  whether the command has anything that runs on a GPU.
 * @throws {GustError} (unsupported) if --device cuda names what this machine or build does not have.
 */
export async function openDevice(
  { device: wanted, fast }: Pick<CommonOptions, "device" | "fast">,
  usesDevice: boolean,
): Promise<DeviceTalk | null> {
  const device = parse(wanted);
  if (device?.kind === "cuda" && usesDevice) {
    try {
      await openNative(device);
    } catch (error) {
      if (!(error instanceof NativeError)) throw error;
      throw new GustError("unsupported", `--device ${wanted}: ${error.message}`);
    }
    return onGpu(fast);
  }
  let why = hasLibrary("cuda") ? "there is no NVIDIA GPU" : "there is no CUDA library";
  if (device === null && usesDevice && hasLibrary("cuda") && mayHaveGpu()) {
    try {
      await openNative({ kind: "cuda", index: 0 });
      return onGpu(fast);
    } catch (error) {
      if (!(error instanceof NativeError)) throw error;
      why = error.message.split("\n")[0]!;
    }
  }
  await openNative();
  if (device?.kind === "cuda") {
    return {
      line: `--device ${wanted}: nothing of this command runs on a GPU, so it runs on the CPU`,
      must: true,
    };
  }
  return device === null && usesDevice ? { line: `device: cpu (${why})`, must: false } : null;
}
