/** Asks a Kafka broker for its cluster: an open port is not readiness, a listed broker is. */

import { connect } from 'node:net';

const ANSWER_MS_MAX = 2_000;
const METADATA_API = 3;
/** The first that names the cluster. https://kafka.apache.org/protocol#The_Messages_Metadata */
const METADATA_VERSION = 2;

export interface KafkaMetadata {
  clusterId: string;
  brokerCount: number;
}

/** @throws when nothing answers in time, or no metadata. */
export function askKafka(port: number): Promise<KafkaMetadata> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const chunks: Buffer[] = [];
    const finish = (outcome: () => void) => {
      socket.destroy();
      outcome();
    };
    socket.setTimeout(ANSWER_MS_MAX, () =>
      finish(() => reject(new Error(`no answer from Kafka on port ${port} within ${ANSWER_MS_MAX} ms`))),
    );
    socket.on('error', (error) => finish(() => reject(error)));
    socket.on('close', () => reject(new Error(`Kafka on port ${port} closed the connection`)));
    socket.on('connect', () => socket.write(metadataRequest()));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      const answer = Buffer.concat(chunks);
      if (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) return;
      try {
        const metadata = readMetadata(answer);
        finish(() => resolve(metadata));
      } catch (error) {
        finish(() => reject(error as Error));
      }
    });
  });
}

/** Size, header (api, version, correlation id, client id), then an empty list of topics. */
function metadataRequest(): Buffer {
  const client = 'holdfast-infra';
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + client.length + 4);
  let at = request.writeInt32BE(request.length - 4);
  at = request.writeInt16BE(METADATA_API, at);
  at = request.writeInt16BE(METADATA_VERSION, at);
  at = request.writeInt32BE(0, at);
  at = request.writeInt16BE(client.length, at);
  at += request.write(client, at);
  request.writeInt32BE(0, at);
  return request;
}

function readMetadata(answer: Buffer): KafkaMetadata {
  let at = 8; // Size and correlation id.
  const text = (): string => {
    const length = answer.readInt16BE(at);
    at += 2 + Math.max(0, length);
    return answer.toString('utf8', at - Math.max(0, length), at);
  };
  const brokerCount = answer.readInt32BE(at);
  at += 4;
  for (let broker = 0; broker < brokerCount; broker += 1) {
    at += 4; // Its id.
    text(); // Its host.
    at += 4; // Its port.
    text(); // Its rack.
  }
  return { brokerCount, clusterId: text() };
}
