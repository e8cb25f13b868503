/** What went wrong, in words for the one who typed the command. */
export class LabError extends Error {
  override name = 'LabError';
}
