/** Why the firewall could not do what it was asked to; the commands turn the kind into an exit status. */
export type FirewallFailureKind =
  /** Something went wrong. */
  | 'failed'
  /** The kernel or the machine lacks something. */
  | 'unsupported'
  /** Not permitted, or another bpfilter is at work. */
  | 'denied';

/** A failure whose message is meant for the administrator. */
export class FirewallError extends Error {
  override readonly name = 'FirewallError';
  readonly kind: FirewallFailureKind;

  constructor(kind: FirewallFailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Somebody else has held the namespace for as long as the caller was ready to wait; nothing has happened. */
export class BusyError extends FirewallError {
  constructor(message: string, options?: ErrorOptions) {
    super('denied', message, options);
  }
}

export function isFirewallError(error: unknown): error is FirewallError {
  return error instanceof FirewallError;
}
