import com.example.music.client.ApiException;
import com.example.music.client.MusicStudio;
import com.example.music.client.api.CollectionsApi;
import com.example.music.client.model.Collection;
import com.example.music.client.model.CollectionOrder;
import com.example.music.client.model.CollectionPatch;
import com.example.music.client.model.ErrorBody;
import com.example.music.client.model.CollectionCreate;
import com.example.music.client.model.CollectionTrackCreate;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Does with the Java client what each line on standard input asks for, and says on a line what came of it. */
public final class Driver {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Driver() {}

  private static Map<String, Object> seen(Collection made) {
    Map<String, Object> told = new LinkedHashMap<>();
    told.put("id", made.getId());
    told.put("name", made.getName());
    told.put("description", made.getDescription());
    told.put("cover_track_id", made.getCoverTrackId());
    told.put("track_count", made.getTrackCount());
    return told;
  }

  private static String text(JsonNode step, String name) {
    return step.hasNonNull(name) ? step.get(name).asText() : null;
  }

  private static CollectionCreate created(JsonNode body) {
    CollectionCreate made = new CollectionCreate().name(text(body, "name"));
    return body.has("description") ? made.description(text(body, "description")) : made;
  }

  private static CollectionPatch patched(JsonNode body) {
    CollectionPatch made = new CollectionPatch();
    if (body.has("name")) {
      made.name(text(body, "name"));
    }
    return body.has("description") ? made.description(text(body, "description")) : made;
  }

  private static List<Object> every(CollectionsApi api, String home, int limit) {
    List<Object> all = new ArrayList<>();
    for (Collection one :
        MusicStudio.every(limit, (size, offset) -> api.listCollections(home, size, offset).getItems())) {
      all.add(seen(one));
    }
    return all;
  }

  private static Object act(CollectionsApi api, JsonNode step) throws ApiException {
    String home = text(step, "organization");
    String collection = text(step, "collection");
    switch (text(step, "do")) {
      case "create":
        return seen(api.createCollection(home, created(step.get("body")), text(step, "idempotency_key")));
      case "get":
        return seen(api.getCollection(home, collection, null));
      case "update":
        return seen(api.updateCollection(home, collection, patched(step.get("body")), text(step, "if_match"), null));
      case "delete":
        return api.deleteCollection(home, collection, null, null).getId();
      case "list":
        return api.listCollections(home, step.get("limit").asInt(), null).getItems().stream().map(Driver::seen).toList();
      case "every":
        return every(api, home, step.get("limit").asInt());
      case "tracks":
        return api.listCollectionTracks(home, collection, null, null, null).getItems().stream()
            .map(item -> item.getTrackId()).toList();
      case "add":
        CollectionTrackCreate track = new CollectionTrackCreate().trackId(text(step, "track"));
        return api.addCollectionTrack(home, collection, track, null, null).getId();
      case "remove":
        return api.removeCollectionTrack(home, collection, text(step, "track"), null, null).getId();
      case "reorder":
        CollectionOrder order = new CollectionOrder();
        step.get("tracks").forEach(id -> order.addOrderedTrackIdsItem(id.asText()));
        return api.reorderCollection(home, collection, order, null, null).getId();
      default:
        throw new IllegalArgumentException(text(step, "do"));
    }
  }

  private static Map<String, Object> outcome(JsonNode step) {
    MusicStudio studio = new MusicStudio(text(step, "url")).apiKey(text(step, "api_key"))
        .timeout(Duration.ofSeconds(step.get("timeout").asLong())).retries(step.get("retries").asInt());
    try {
      return Collections.singletonMap("value", act(new CollectionsApi(studio), step));
    } catch (ApiException exception) {
      if (exception.getCode() < 400) {
        return Map.of("failure", exception.toString());
      }
      return Map.of("error", told(exception, MusicStudio.failure(exception).orElse(null)));
    } catch (RuntimeException failure) {
      return Map.of("failure", failure.toString());
    }
  }

  private static Map<String, Object> told(ApiException exception, ErrorBody error) {
    Map<String, Object> told = new LinkedHashMap<>();
    told.put("status", exception.getCode());
    told.put("code", error == null ? null : error.getCode());
    told.put("type", error == null ? null : error.getType());
    told.put("violations", error == null ? List.of() : error.getDetails().getErrors().stream()
        .map(one -> Map.of("pointer", one.getPointer(), "code", one.getCode())).toList());
    return told;
  }

  public static void main(String[] arguments) throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      answers.println(JSON.writeValueAsString(outcome(JSON.readTree(line))));
    }
  }
}
