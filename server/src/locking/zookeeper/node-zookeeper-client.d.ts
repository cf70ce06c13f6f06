/** What we use of the client, which brings no types. */
declare module 'node-zookeeper-client' {
  export interface Stat {
    /** The zxid of its creation: 8 bytes, most significant first. */
    czxid: Buffer;
  }

  interface ZookeeperError extends Error {
    code: number;
  }

  export type Failure = ZookeeperError | null | undefined;

  export interface Client {
    /** Not documented. `socket` is there from the first connection on. */
    readonly connectionManager: { socket?: { destroy(): void } };
    connect(): void;
    close(): void;
    once(event: 'connected' | 'disconnected' | 'expired' | 'authenticationFailed', listener: () => void): this;
    /** Negotiated with the server, in ms. */
    getSessionTimeout(): number;
    create(path: string, data: Buffer, mode: number, callback: (failure: Failure, path: string) => void): void;
    mkdirp(path: string, callback: (failure: Failure) => void): void;
    remove(path: string, callback: (failure: Failure) => void): void;
    exists(path: string, callback: (failure: Failure, stat: Stat | null) => void): void;
    exists(path: string, watcher: () => void, callback: (failure: Failure, stat: Stat | null) => void): void;
    getChildren(path: string, callback: (failure: Failure, names: string[]) => void): void;
    getData(path: string, callback: (failure: Failure, data: Buffer, stat: Stat) => void): void;
  }

  const zookeeper: {
    createClient(servers: string, options: { sessionTimeout: number; spinDelay: number; retries: number }): Client;
    CreateMode: { EPHEMERAL_SEQUENTIAL: number };
    Exception: { CONNECTION_LOSS: number; NO_NODE: number; SESSION_EXPIRED: number };
  };
  export default zookeeper;
}
