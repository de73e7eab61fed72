import Connection from 'kafkajs/src/network/connection.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import SocketRequest from 'kafkajs/src/network/requestQueue/socketRequest.js';

// A patch of another version would change what nobody has read.
if (typeof Connection.prototype.connect !== 'function')
  throw new Error('kafkajs is not 2.2.4: Connection has no connect');
if (typeof RequestQueue.prototype.createSocketRequest !== 'function')
  throw new Error('kafkajs is not 2.2.4: RequestQueue has no createSocketRequest');
if (typeof SocketRequest.prototype.timeoutRequest !== 'function')
  throw new Error('kafkajs is not 2.2.4: SocketRequest has no timeoutRequest');

const { connect } = Connection.prototype;
const { createSocketRequest } = RequestQueue.prototype;
const { timeoutRequest } = SocketRequest.prototype;
const connecting = new WeakMap<Connection, Promise<boolean>>();
const LENGTH_BYTES = 4;

/**
 * kafkajs keeps the beginning of an answer when its socket breaks, and takes it for the beginning of what
 * comes on the next one; it still listens to the old socket, and opens two when two ask at once (client
 * hazard 17).
 */
Connection.prototype.connect = function (this: Connection): Promise<boolean> {
  const running = connecting.get(this) ?? connectAnew(this).finally(() => connecting.delete(this));
  connecting.set(this, running);
  return running;
};

function connectAnew(connection: Connection): Promise<boolean> {
  if (!connection.isConnected()) {
    connection.socket?.destroy(); // which says nothing more
    connection.chunks = [];
    connection.bytesBuffered = 0;
    connection.bytesNeeded = LENGTH_BYTES;
  }
  connections.set(connection.requestQueue, connection);
  return connect.call(connection);
}

const connections = new WeakMap<RequestQueue, Connection>();
const queues = new WeakMap<SocketRequest, RequestQueue>();

RequestQueue.prototype.createSocketRequest = function (this: RequestQueue, pushed) {
  const request = createSocketRequest.call(this, pushed);
  queues.set(request, this);
  return request;
};

const bytesRead = (request: SocketRequest): number =>
  connections.get(queues.get(request)!)?.socket?.bytesRead ?? 0;

/**
 * An event loop that stood still has not read yet what came in time: it does before this judges, which
 * takes several rounds for what is large. Whether it is over is asked again 100 ms later (F28).
 */
SocketRequest.prototype.timeoutRequest = function (this: SocketRequest) {
  const before = bytesRead(this);
  setImmediate(() => {
    if (this.duration === null && bytesRead(this) === before) timeoutRequest.call(this);
  });
};
