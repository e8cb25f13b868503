import type { CodedError } from '../errors.ts';

/**
 * Something outside of the daemon whose state is made to be as planned: the kernel, the firewall, the speaker.
 * State is a set of resources, each with a key that names it and a content; two resources of equal key and equal
 * content are the same. What a target reads back is only ever ours, recognised without memory.
 */
export interface Target<R extends { readonly kind: string }> {
  /** Everything of ours that is there now, by key. @throws CodedError if it cannot be read */
  read(): Promise<ReadonlyMap<string, R>>;

  /**
   * Carries out the operations in the order given and answers one outcome for each, in that order. A failure of
   * one does not stop the others. `put` of what is already there as asked, and `remove` of what is not there,
   * succeed. An object that is not ours is never changed: NR_FOREIGN_OBJECT.
   */
  apply(operations: readonly Operation<R>[]): Promise<readonly Outcome[]>;

  /** Ends helper processes and connections; what was applied stays in force. */
  close(): Promise<void>;
}

export type Operation<R> =
  /** `was`: the content that it replaces, as far as the caller knows; absent where it should be new. */
  | { readonly do: 'put'; readonly key: string; readonly resource: R; readonly was?: R | undefined }
  | { readonly do: 'remove'; readonly key: string; readonly resource: R };

export interface Outcome {
  readonly key: string;
  readonly error?: CodedError | undefined;
}
