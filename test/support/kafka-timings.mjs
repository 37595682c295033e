/**
 * Loaded before a role (`node --import`): a real process whose waits for Kafka are shorter, so that a test sees a session
 * end in seconds. What a role waits for in earnest stands in collector/bus/kafka-connection.ts.
 */
import { KAFKA_TIMINGS } from '../../dist/collector/bus/kafka-connection.js'

Object.assign(KAFKA_TIMINGS, JSON.parse(process.env.TEST_KAFKA_TIMINGS))
