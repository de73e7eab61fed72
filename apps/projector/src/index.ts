export { startThreadedProjector } from './projector.js';
