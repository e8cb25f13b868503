/**
 * `too-large`: more than a limit allows; `version`: a later protocol's, which nobody should have sent to us;
 * `malformed`: everything else that no writer of ours makes.
 */
export type FrameFault = 'malformed' | 'too-large' | 'version';

export const FAULTS: readonly string[] = ['malformed', 'too-large', 'version'] satisfies FrameFault[];

/** A frame that cannot be read or made. Nothing that is read after it means anything. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly fault: FrameFault;

  constructor(fault: FrameFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

export function malformed(message: string, options?: ErrorOptions): FrameError {
  return new FrameError('malformed', message, options);
}
