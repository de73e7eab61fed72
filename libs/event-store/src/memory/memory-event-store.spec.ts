import { eventStoreContract } from '../contract.js';
import { memoryEventStore, newMemoryLog } from './memory-event-store.js';

const log = newMemoryLog();
eventStoreContract('the memory store', async () => memoryEventStore(log));
