/** What to do about a server's certificate that does not verify, by the name OpenSSL and Node.js give the reason. */

/** How a database spells its settings. */
export interface TlsWords {
  /** The setting that names the authorities' file. */
  readonly authority: string;
}

/** @returns undefined where the reason says nothing of the server's certificate */
export function certificateHint(reason: string, { authority }: TlsWords): string | undefined {
  if (reason === "CERT_HAS_EXPIRED") return "The server's certificate has expired: renew it there.";
  if (reason === "CERT_NOT_YET_VALID") {
    return "The server's certificate is not valid yet: check the clocks of both machines.";
  }
  if (reason === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "The server's certificate is for other names than the URL's host: use one of them, with hostaddr for the address.";
  }
  if (reason === "DEPTH_ZERO_SELF_SIGNED_CERT") {
    return `The server's certificate is signed by itself: give that certificate with ${authority}, once you know it is the right one.`;
  }
  return unknownSigner.has(reason)
    ? `Give the authority that signed the server's certificate with ${authority}.`
    : undefined;
}

const unknownSigner = new Set([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_SIGNATURE_FAILURE",
]);
