import type { CodedError } from '../errors.ts';
import type { Flows, PublishedPort } from '../ports/firewall.ts';
import type { Operation, Outcome } from '../ports/target.ts';

/** A table of connections without any: for tests, which can make it hang and fail. */
export class MemoryFlows implements Flows {
  /** Set to make every call take until then. */
  hanging: Promise<void> | undefined;
  /** Set to make every operation fail. */
  error: CodedError | undefined;

  async apply(operations: readonly Operation<PublishedPort>[]): Promise<readonly Outcome[]> {
    await this.hanging;
    return operations.map(({ key }) => ({ key, error: this.error }));
  }

  async close(): Promise<void> {}
}
