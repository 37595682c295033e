/**
 * Which partition of the topic a frame goes to.
 *
 *   hash           => mixed(fnv1a(call_id)), 32 bits; a frame without a Call-ID: of its agent's address
 *   base_partition => hash mod base_partitions
 *   partition      => base_partition + base_partitions * (mixed(hash xor LAYER_SEED) mod layers)
 *   layers         => floor(partitions of the topic / base_partitions)
 *
 * A topic that grows by whole layers keeps every Call-ID in its base partition, and so in the process that reads it.
 * Partitions beyond the last whole layer stay empty.
 *
 * The hash is part of the format: two publishers that disagree would tear a call apart. Its test holds it to known values.
 * FNV-1a is quicker over 30 bytes than a call into zlib for its crc32 (30 against 270 ns), and the mixing (the last step
 * of MurmurHash3) makes Call-IDs that differ in one digit spread evenly over any number of partitions.
 */

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193
/** Any constant: it makes the choice of the layer independent of the choice of the base partition. */
const LAYER_SEED = 0x9e3779b9

export function hashOf(bytes: Uint8Array): number {
  let hash = FNV_OFFSET
  for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME)
  return mixed(hash)
}

function mixed(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

export function layersOf(partitions: number, basePartitions: number): number {
  return Math.max(1, Math.floor(partitions / basePartitions))
}

export function partitionOf(hash: number, basePartitions: number, layers: number): number {
  const basePartition = hash % basePartitions
  return layers === 1 ? basePartition : basePartition + basePartitions * (mixed(hash ^ LAYER_SEED) % layers)
}
