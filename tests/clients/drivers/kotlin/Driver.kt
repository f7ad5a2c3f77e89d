// Does with the Kotlin client what each line on standard input asks for, and says on a line what came of it.

import com.example.music.kotlin.MusicStudio
import com.example.music.kotlin.apis.CollectionsApi
import com.example.music.kotlin.infrastructure.ClientException
import com.example.music.kotlin.infrastructure.ServerException
import com.example.music.kotlin.models.Collection
import com.example.music.kotlin.models.CollectionOrder
import com.example.music.kotlin.models.CollectionPatch
import com.example.music.kotlin.models.CollectionCreate
import com.example.music.kotlin.models.CollectionTrackCreate
import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.ObjectMapper
import java.time.Duration
import org.openapitools.jackson.nullable.JsonNullable

private fun JsonNode.text(name: String): String? = get(name)?.takeUnless { it.isNull }?.asText()

private fun JsonNode.maybe(name: String): JsonNullable<String?> =
    if (has(name)) JsonNullable.of(text(name)) else JsonNullable.undefined()

private fun seen(made: Collection) = mapOf(
    "id" to made.id,
    "name" to made.name,
    "description" to made.description,
    "cover_track_id" to made.coverTrackId,
    "track_count" to made.trackCount,
)

private fun act(api: CollectionsApi, step: JsonNode): Any? {
    val home = step.text("organization")!!
    val id = step.text("collection").orEmpty()
    val track = step.text("track").orEmpty()
    val body = step.get("body")
    val limit = step.get("limit")?.asInt()
    return when (val asked = step.text("do")) {
        "create" -> seen(
            api.createCollection(
                home,
                CollectionCreate(name = body.text("name")!!, description = body.maybe("description")),
                step.text("idempotency_key"),
            ),
        )
        "get" -> seen(api.getCollection(home, id))
        "update" -> seen(
            api.updateCollection(
                home,
                id,
                CollectionPatch(name = body.text("name"), description = body.maybe("description")),
                step.text("if_match"),
            ),
        )
        "delete" -> api.deleteCollection(home, id).id
        "list" -> api.listCollections(home, limit).items.map(::seen)
        "every" -> MusicStudio.every(limit!!) { size, offset -> api.listCollections(home, size, offset).items }
            .map(::seen).toList()
        "tracks" -> api.listCollectionTracks(home, id).items.map { it.trackId }
        "add" -> api.addCollectionTrack(home, id, CollectionTrackCreate(trackId = track)).id
        "remove" -> api.removeCollectionTrack(home, id, track).id
        "reorder" -> api.reorderCollection(home, id, CollectionOrder(step.get("tracks").map { it.asText() })).id
        else -> error("nobody knows how to $asked")
    }
}

private fun told(status: Int, exception: Exception): Map<String, Any?> {
    val error = MusicStudio.failure(exception)
    val violations = error?.details?.errors.orEmpty().map { mapOf("pointer" to it.pointer, "code" to it.code) }
    return mapOf(
        "error" to mapOf("status" to status, "code" to error?.code, "type" to error?.type, "violations" to violations),
    )
}

private fun outcome(step: JsonNode): Map<String, Any?> {
    val studio = MusicStudio(
        step.text("url")!!,
        apiKey = step.text("api_key"),
        timeout = Duration.ofSeconds(step.get("timeout").asLong()),
        retries = step.get("retries").asInt(),
    )
    return try {
        mapOf("value" to act(CollectionsApi(studio.url, studio.http), step))
    } catch (exception: ClientException) {
        told(exception.statusCode, exception)
    } catch (exception: ServerException) {
        told(exception.statusCode, exception)
    } catch (failure: Exception) {
        mapOf("failure" to failure.toString())
    }
}

fun main() {
    val json = ObjectMapper()
    val answers = java.io.PrintStream(System.out, true, Charsets.UTF_8)
    System.`in`.bufferedReader().lineSequence().forEach { answers.println(json.writeValueAsString(outcome(json.readTree(it)))) }
}
