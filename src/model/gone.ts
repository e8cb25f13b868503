/** How a member goes from its cluster: by itself, or because others take it that it does not come back. */
export const GONE = ['left', 'forgotten'] as const;

const states: readonly string[] = GONE;

/** Whether a host that is shown is a member no more. */
export function isGone({ state }: { readonly state: string }): boolean {
  return states.includes(state);
}
