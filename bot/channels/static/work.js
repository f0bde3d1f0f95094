/** A worker: finds the number that a challenge asks for. Answers `null` where the browser cannot hash. */

const AT_ONCE = 256; // hashes asked for together: each alone would mostly wait

onmessage = async ({ data: { challenge, bits } }) => {
  if (!globalThis.crypto?.subtle) return postMessage(null);
  const encoder = new TextEncoder();
  for (let first = 0; ; first += AT_ONCE) {
    const proofs = Array.from({ length: AT_ONCE }, (_, n) => `${challenge}:${first + n}`);
    const hashes = await Promise.all(proofs.map((proof) => crypto.subtle.digest("SHA-256", encoder.encode(proof))));
    const found = hashes.findIndex((hash) => new DataView(hash).getUint32(0) >>> (32 - bits) === 0);
    if (found >= 0) return postMessage(proofs[found]);
  }
};
