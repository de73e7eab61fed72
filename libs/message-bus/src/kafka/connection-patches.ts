import Connection from 'kafkajs/src/network/connection.js';

// A patch of another version would change what nobody has read.
if (typeof Connection.prototype.connect !== 'function')
  throw new Error('kafkajs is not 2.2.4: Connection has no connect');

const { connect } = Connection.prototype;
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
  return connect.call(connection);
}
